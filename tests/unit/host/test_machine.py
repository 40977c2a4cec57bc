"""What the agent asks of the helper, and what it makes of the answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from agent import __version__
from agent.commands.seams import Answer, Order
from agent.config.tables import Host
from agent.errors import Rejected
from agent.host.machine import SEEN_S, Helped
from agent.host.trial import Trial
from agent.supervision.partners import Offer
from agent.workers.policy import State

if TYPE_CHECKING:
    from pathlib import Path


ORDER = Order("command-1")


class _Lane:
    def __init__(self, name: str = "door", state: State = State.STARTING) -> None:
        self.name, self.state = name, state


class Device:
    """A device with a helper's folder, which tests write as the helper does."""

    def __init__(self, folder: Path, **host: Any) -> None:
        self.folder = folder
        self.helper = folder / "helper"
        self.helper.mkdir(exist_ok=True)
        self.boot, self.up_s = "b" * 16, 9999.0
        self.lanes: list[Any] = []
        self.table = Host(reboot=True, update=True, helper=str(self.helper)).model_copy(update=host)
        self.able(reboot=True, update=True)

    def able(self, **what: bool) -> None:
        self._write("able.json", boot=self.boot, **what)

    def tells(self, state: str, **more: Any) -> None:
        self._write("told.json", **{"id": "command-1", "op": "update", "state": state, **more})

    def _write(self, name: str, **what: Any) -> None:
        (self.helper / name).write_text(json.dumps({"v": 1, **what}))

    @property
    def machine(self) -> Helped:
        """The agent's side, as it is after a start."""
        return Helped(
            self.table,
            self.folder,
            self.lanes,
            base=self.folder,
            boot=self.boot,
            online=lambda: True,
            up_s=lambda: self.up_s,
        )

    @property
    def asked(self) -> dict[str, Any] | None:
        path = self.folder / "host" / "request.json"
        return json.loads(path.read_text()) if path.exists() else None


def test_a_reboot_is_done_when_the_agent_is_back_in_another_boot(tmp_path: Path) -> None:
    device = Device(tmp_path)
    work = device.machine.reboot(ORDER)
    assert device.asked == {
        "v": 1,
        "id": "command-1",
        "op": "reboot",
        "version": "",
        "online": False,
        "spared": [],
    }
    device.tells("working", op="reboot")
    assert work.tick(1.0) is None
    before, device.boot = device.boot, "c" * 16
    answer = device.machine.reboot(Order("command-1", attempts=2, boot=before)).tick(0.0)
    assert answer == Answer({"boot": "c" * 16})


def test_a_machine_that_does_not_go_down_or_a_helper_that_never_comes_is_told(tmp_path: Path) -> None:
    device = Device(tmp_path)
    work = device.machine.reboot(ORDER)
    assert work.tick(1.0) is None
    with pytest.raises(Rejected, match="no helper has taken"):
        work.tick(1.0 + SEEN_S)
    assert device.asked is None
    device.tells("working", op="reboot")
    again = device.machine.reboot(Order("command-1", attempts=2, boot=device.boot))
    assert again.tick(1.0) is None
    with pytest.raises(Rejected, match="did not go down"):
        again.tick(1.0 + 2 * SEEN_S)


@pytest.mark.parametrize(
    ("host", "able", "up_s", "problem"),
    [
        ({"reboot": False}, {"reboot": True, "update": True}, 9999, "host.reboot of this device"),
        ({}, {"reboot": False, "update": True}, 9999, "helper's own configuration"),
        ({}, {"reboot": True, "update": True}, 30, "its last boot was 30 s ago"),
        ({}, None, 9999, "no helper is there since this boot"),
    ],
)
def test_what_is_not_allowed_or_too_soon_is_refused_before_anything_is_written(
    tmp_path: Path, host: dict[str, Any], able: dict[str, bool] | None, up_s: float, problem: str
) -> None:
    device = Device(tmp_path, **host)
    device.up_s = up_s
    if able is None:
        (device.helper / "able.json").unlink()
    else:
        device.able(**able)
    with pytest.raises(Rejected, match=problem):
        device.machine.reboot(ORDER)
    assert device.asked is None


def test_a_helper_of_an_earlier_boot_is_none(tmp_path: Path) -> None:
    device = Device(tmp_path)
    device.boot = "c" * 16
    with pytest.raises(Rejected, match="no helper is there since this boot"):
        device.machine.update("1.1", ORDER)


def test_the_agent_that_runs_at_the_end_tells_what_came_of_an_update(tmp_path: Path) -> None:
    device = Device(tmp_path)
    assert device.machine.update("1.1", ORDER).tick(0.0) is None
    assert device.asked == {
        "v": 1,
        "id": "command-1",
        "op": "update",
        "version": "1.1",
        "online": True,
        "spared": [],
    }
    (tmp_path / "host" / "request.json").unlink()
    device.tells("probation", version="1.1")
    resumed = device.machine.update("1.1", Order("command-1", attempts=1, boot=device.boot))
    assert resumed.tick(0.0) is None
    assert device.asked is None
    device.tells("done", version="1.1")
    assert resumed.tick(9999.0) == Answer({"version": "1.1"})
    device.tells("failed", version="1.1", reason="1.1: it did not say that it is well")
    with pytest.raises(Rejected, match="did not say that it is well"):
        device.machine.update("1.1", Order("command-1", attempts=1, boot=device.boot)).tick(0.0)


def test_a_version_that_could_be_an_option_or_a_path_is_refused(tmp_path: Path) -> None:
    device = Device(tmp_path)
    for odd in ("", "-r", "../x", "1 2", "1.0/..", "1" * 100, "1.0\n"):
        with pytest.raises(Rejected):
            device.machine.update(odd, ORDER)
    assert device.asked is None


def _trial(device: Device, lane: _Lane, online: list[bool]) -> Trial:
    device.lanes = [lane]
    offer = Offer(
        lanes=(),
        publish=lambda _topic, _payload, _retain: None,
        settle=lambda _message: None,
        online=lambda: online[-1],
        status=dict,
        end=lambda _why: None,
    )
    return Trial(device.machine, offer)


def test_a_new_release_gives_its_word_once_all_was_well_for_long_enough_on_end(tmp_path: Path) -> None:
    device, lane, online = Device(tmp_path), _Lane(), [False]
    (tmp_path / "host").mkdir()
    device.tells("probation", version="1.1", steady_s=10, online=True)
    trial = _trial(device, lane, online)
    word = tmp_path / "host" / "word.json"

    def wait(begin: int, end: int) -> bool:
        for now in range(begin, end):
            trial.tick(float(now))
        return word.exists()

    assert not wait(0, 20)
    lane.state = State.RUNNING
    assert not wait(20, 40), "the link was up before, and is not now"
    online.append(True)
    assert not wait(40, 50)
    lane.state = State.BACKOFF
    assert not wait(50, 52)
    lane.state = State.RUNNING
    assert not wait(52, 62)
    assert wait(62, 64)
    assert json.loads(word.read_text()) == {"v": 1, "id": "command-1", "version": __version__}


def test_without_an_update_on_probation_nothing_is_said(tmp_path: Path) -> None:
    device, lane = Device(tmp_path), _Lane()
    lane.state = State.RUNNING
    for state in ("done", "working", "failed"):
        device.tells(state, version="1.1")
        trial = _trial(device, lane, [True])
        trial.tick(0.0)
        trial.tick(100.0)
        assert trial.next_tick(100.0) == float("inf")
    assert not (tmp_path / "host").exists()


def test_a_pipeline_that_was_not_well_before_or_waits_for_its_first_model_is_not_waited_for(
    tmp_path: Path,
) -> None:
    device = Device(tmp_path)
    device.lanes = [_Lane("door", State.RUNNING), _Lane("yard", State.FATAL), _Lane("gate", State.STOPPED)]
    device.machine.update("1.1", ORDER)
    assert device.asked is not None
    assert device.asked["spared"] == ["yard"]
    device.tells("probation", version="1.1", spared=["yard"])
    lane = _Lane("yard", State.BACKOFF)
    trial = _trial(device, lane, [True])
    trial.tick(0.0)
    assert (tmp_path / "host" / "word.json").exists()
