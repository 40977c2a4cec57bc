"""Keys from files and credentials: used, or refused with what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.config import tables
from agent.errors import EXIT_CONFIG, ConfigInvalid
from agent.fleet.keys import make_keys
from agent.trust import keys as trust

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    make_keys(tmp_path, ["gate"])
    return tmp_path


def table(**given: str | bool) -> tables.Trust:
    return tables.Trust.model_validate(given)


def test_keys_are_read_from_files_beside_the_configuration(keys: Path) -> None:
    found = trust.load(table(device_key="devices/gate.key", collector_key="collector.pub"), keys)
    assert found.signed
    assert found.signer is not None
    assert found.verifier is not None
    assert found.signer.key_id != found.verifier.key_id


def test_credentials_go_over_files(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (keys / "collector.pub").rename(keys / "collector-key")
    (keys / "devices/gate.key").rename(keys / "device-key")
    (keys / "device-key").chmod(0o440)  # as systemd gives them
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(keys))
    assert trust.load(table(device_key="/no/such", collector_key="/no/such"), keys).signed


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, r"use trust.device_key: this device has no key.*edgectl init DIR --device"),
        ({"device_key": "devices/gate.key"}, r"use trust.collector_key: nobody's acknowledgements"),
        (
            {"device_key": "none.key", "collector_key": "collector.pub"},
            r"none.key: No such file.*Check the path",
        ),
        ({"device_key": "collector.pub", "collector_key": "collector.pub"}, r"a public key.*ends in .key"),
        (
            {"device_key": "devices/gate.key", "collector_key": "collector.key"},
            r"a private key.*ends in .pub",
        ),
    ],
)
def test_what_cannot_be_trusted_is_told_in_one_line(keys: Path, given: dict[str, str], problem: str) -> None:
    with pytest.raises(ConfigInvalid, match=problem) as refused:
        trust.load(table(**given), keys)
    assert refused.value.exit_code == EXIT_CONFIG
    secret = (keys / "devices/gate.key").read_text().splitlines()[1]
    assert secret not in str(refused.value)


def test_a_private_key_that_others_may_read_is_refused(keys: Path) -> None:
    (keys / "devices/gate.key").chmod(0o644)
    with pytest.raises(ConfigInvalid, match=r"others may read this private key\. Run: chmod 600"):
        trust.load(table(device_key="devices/gate.key", collector_key="collector.pub"), keys)


def test_keys_and_unsigned_contradict_each_other(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigInvalid, match=r"there is a key to use: .*collector\.pub\. Take unsigned"):
        trust.load(table(unsigned=True, collector_key="collector.pub"), keys)
    (keys / "collector.pub").rename(keys / "collector-key")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(keys))
    with pytest.raises(ConfigInvalid, match=r"there is a key to use: .*collector-key"):
        trust.load(table(unsigned=True), keys)


def test_unsigned_is_what_somebody_asked_for(keys: Path) -> None:
    assert not trust.load(table(unsigned=True), keys).signed
