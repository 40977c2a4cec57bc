"""What a life of the agent begins with: the file, and over it what is active or on trial."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import agent
from agent.cli.device.settings import Loaded
from agent.cli.running.lives import Life, OwnFiles, overlaid
from agent.configuring.layers import ACTIVE, Layers, Temporary
from agent.configuring.start import Before, Start
from agent.errors import AgentError, ConfigInvalid
from agent.slots import Kept
from tests.simulators.clocks import ManualClock

if TYPE_CHECKING:
    from pathlib import Path

CLOCK = ManualClock()


@pytest.fixture
def file(tmp_path: Path) -> Loaded:
    path = tmp_path / "agent.toml"
    path.write_text(
        f'[store]\npath = "{tmp_path}"\n[[pipelines]]\nname = "door"\nmodel = "glyphs"\n'
        'source = { kind = "synthetic" }\n'
    )
    return Loaded(path)


def kept(layers: Layers) -> Kept:
    return Kept(documents={ACTIVE: layers.model_dump_json().encode()})


def rate(file: Loaded, start: Start, held: Kept | None) -> float:
    return overlaid(file, file.plan(), start, held, CLOCK).plan.lanes[0].max_rate


def test_what_is_active_lies_over_the_file_and_what_is_on_trial_instead(file: Loaded) -> None:
    active = kept(Layers(generation=1, desired={"pipelines.door.max_rate": 7}))
    assert rate(file, Start(), active) == 7
    assert rate(file, Start(), Kept()) == rate(file, Start(), None) == 0
    trial = Layers(generation=2, desired={"pipelines.door.max_rate": 8})
    assert rate(file, Start(layers=trial, trial=True), active) == 8


def test_a_commands_settings_of_another_boot_do_not(file: Loaded) -> None:
    values = {"pipelines.door.max_rate": 9}
    over = Temporary(order="one", values=values, boot="another", until=1e9)
    assert rate(file, Start(), kept(Layers(temporary=over))) == 0
    assert rate(file, Start(), kept(Layers(temporary=Temporary(order="one", values=values)))) == 9


def test_a_device_whose_active_settings_do_not_fit_its_file_boots_without_them_and_says_why(
    file: Loaded,
) -> None:
    odd = Layers(generation=1, desired={"pipelines.gate.max_rate": 7})
    found = overlaid(file, file.plan(), Start(), kept(odd), CLOCK)
    assert (found.layers.values, found.loaded) == ({}, file)
    assert found.unfit.startswith("override pipelines.gate.max_rate: there is no pipeline")
    with pytest.raises(ConfigInvalid):
        overlaid(file, file.plan(), Start(layers=odd, trial=True, before=Before()), Kept(), CLOCK)


def test_after_a_life_that_could_not_begin_comes_one_as_before() -> None:
    anything: Any = object()
    life = Life(anything, Start())
    life.again(anything, Start(trial=True, order="one"))
    assert life.following is not None
    assert life.following.before is anything
    assert life.following.start.instead("no key") == Start(failed="no key", order="one")
    assert Start(anew=True).instead("no key") == Start(refused="no key")
    assert Start().instead("no key") is None


def test_no_life_begins_in_a_process_whose_files_were_replaced_by_another_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = tmp_path / "__init__.py"
    version.write_text('__version__ = "1"\n')
    monkeypatch.setattr(agent, "__path__", [str(tmp_path)])
    files = OwnFiles()
    files.check()
    version.write_text('__version__ = "2"\n')
    with pytest.raises(AgentError, match="its files are of another release now"):
        files.check()
    version.unlink()
    with pytest.raises(AgentError):
        files.check()
