"""Names and keys of simulated devices, beside those of real ones."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from agent.errors import ConfigInvalid
from agent.fleet import inventory
from agent.fleet.keys import Keyring, make_keys
from agent.fleet.simulating.enrolling import enrol, names
from agent.trust.keys import read_signer

if TYPE_CHECKING:
    from pathlib import Path


def test_simulated_devices_have_keys_that_the_collector_knows_and_a_group(tmp_path: Path) -> None:
    devices = names("sim", 3)
    enrol(tmp_path, devices, "hall")
    for name in devices:
        private = tmp_path / f"devices/{name}.key"
        assert stat.S_IMODE(private.stat().st_mode) == 0o600
        verifier = Keyring(tmp_path).verifier(name)
        assert verifier
        assert verifier.key_id == read_signer(private, "key").key_id
        assert (tmp_path / f"public/{name}.pub").exists()
    assert [one.name for one in inventory.chosen(tmp_path, [], ["hall"])] == list(devices)


def test_a_second_time_nothing_is_made_anew(tmp_path: Path) -> None:
    enrol(tmp_path, names("sim", 2))
    before = {path: path.read_bytes() for path in (tmp_path / "devices").iterdir()}
    enrol(tmp_path, names("sim", 2))
    assert before == {path: path.read_bytes() for path in (tmp_path / "devices").iterdir()}


def test_a_real_devices_name_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    make_keys(tmp_path, ["sim-0002"])
    with pytest.raises(ConfigInvalid, match="a real device"):
        enrol(tmp_path, names("sim", 2))
    assert not (tmp_path / "devices/sim-0001.key").exists()


def test_a_prefix_that_no_topic_takes_is_refused() -> None:
    with pytest.raises(ConfigInvalid, match="--prefix"):
        names("Sim/", 2)


def test_a_group_that_cannot_be_called_so_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="no group can be called so"):
        enrol(tmp_path, names("sim", 2), "A B")
    assert not list(tmp_path.iterdir())
