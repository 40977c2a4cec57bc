"""edgectl command, as its command line, against a real broker and devices that answer on demand."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from agent.errors import AgentError, ConfigInvalid
from agent.fleet import inventory
from agent.fleet.inventory import Entry
from agent.fleet.keys import make_keys
from tests.simulators.commanded_device import CommandedDevice, commanded, done, with_file

if TYPE_CHECKING:
    from pathlib import Path

    from agent.demo.broker import Broker
    from agent.documents.command import Command
    from tests.simulators.edgectl import Edgectl

pytestmark = pytest.mark.mosquitto
DEMO = ("--fleet", "demo")


@pytest.fixture
def fleet(edgectl: Edgectl) -> Edgectl:
    make_keys(edgectl.folder, ["gate-1", "gate-2"])
    for name in ("gate-1", "gate-2"):
        inventory.keep(edgectl.folder, Entry(name=name, groups=("gates",)))
    return edgectl


def test_a_command_is_given_and_what_came_of_it_is_told(broker: Broker, fleet: Edgectl) -> None:
    with commanded(broker.port, fleet.folder, "gate-1", "gate-2", groups=["gates"]):
        alone = fleet("command", "gate-1", "restart", "pipeline=door", *DEMO)
        group = fleet("command", "restart", "pipeline=door", "--group", "gates", *DEMO)
        named = fleet("command", "gate-2,gate-1", "ping", "--bare", *DEMO)
    assert alone["devices"]["gate-1"]["result"] == {"device": "gate-1", "pipeline": "door"}
    assert [(one["of"], one["done"]) for one in (alone, group, named)] == [(1, 1), (2, 2), (2, 2)]


def refusing(device: CommandedDevice, command: Command) -> None:
    if device.name == "gate-2":
        device.answer(command, "refused", refusal="scope", reason="it needs\x1b[2J command.restart")
    else:
        done(device, command)


def test_who_has_not_done_it_is_named_and_the_exit_code_is_1(
    broker: Broker, fleet: Edgectl, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["restart", "pipeline=door", "--all", "--timeout", "10", *DEMO]
    with commanded(broker.port, fleet.folder, "gate-1", "gate-2", answers=refusing):
        assert fleet.code("command", *words) == 1
    told = capsys.readouterr()
    assert [" ".join(line.split()) for line in told.out.splitlines()] == [
        "DEVICE STATE WHAT",
        "gate-2 refused scope: it needs\N{REPLACEMENT CHARACTER}[2J command.restart",
        "gate-1 done device=gate-1 pipeline=door",
        "1 of 2 have done it",
    ]
    assert sorted(line.split(":")[0] for line in told.err.splitlines()) == ["gate-1", "gate-2"]
    assert fleet.code("command", "gate-1", "ping", "--timeout", "0.2", *DEMO) == 1
    told = capsys.readouterr()
    assert told.out == "gate-1: silent: no answer\n"
    assert re.search(r"may do it yet, until 300 s from now", told.err)


def test_one_for_the_window_has_a_day_and_says_for_what_it_waits(
    broker: Broker, fleet: Edgectl, capsys: pytest.CaptureFixture[str]
) -> None:
    heard: list[Command] = []

    def waiting(device: CommandedDevice, command: Command) -> None:
        heard.append(command)
        device.answer(command, "accepted", reason="it waits for the maintenance window")

    with commanded(broker.port, fleet.folder, "gate-1", answers=waiting):
        words = ("update", "version=1.4.0", "--in-window", "--timeout", "2")
        assert fleet.code("command", "gate-1", *words, *DEMO) == 1
    assert capsys.readouterr().out == "gate-1: accepted: it waits for the maintenance window\n"
    assert heard[0].args == {"version": "1.4.0", "window": True}
    assert heard[0].expires - heard[0].issued == 86400


def test_a_file_that_comes_with_it_is_put_together_and_kept(
    broker: Broker, fleet: Edgectl, tmp_path: Path
) -> None:
    content = bytes(range(256)) * 1000
    words = ["command", "gate-1", "ping", *DEMO]
    with commanded(broker.port, fleet.folder, "gate-1", answers=with_file("bundle.tar.gz", content)):
        without = fleet(*words)["devices"]["gate-1"]
        found = fleet(*words, "--out", tmp_path / "out")["devices"]["gate-1"]
    assert (without["files"], found["lacking"]) == ([], [])
    [path] = found["files"]
    assert path == str(tmp_path / "out/gate-1-bundle.tar.gz")
    assert (tmp_path / "out/gate-1-bundle.tar.gz").read_bytes() == content


NONSENSE: list[tuple[list[str], type[AgentError], str]] = [
    (["gate-1"], ConfigInvalid, "it names no device, or nothing to do"),
    (["gate-1", "x=1"], ConfigInvalid, "it names no device, or nothing to do"),
    (["gate-1", "shell"], ConfigInvalid, "there is none of this name"),
    (["gate-1", "restart"], ConfigInvalid, "It takes: pipeline="),
    (["gate-1", "ping", "x=1"], ConfigInvalid, "It takes: nothing"),
    (["gate-1", "ping", "--in-window"], ConfigInvalid, "window: there is no such argument"),
    (["gate-1", "restart", "pipeline"], ConfigInvalid, "it is no KEY=VALUE"),
    (["gate-9", "ping"], ConfigInvalid, "there is none of this name"),
]


def test_what_makes_no_sense_is_told_before_anything_is_sent(fleet: Edgectl) -> None:
    for words, error, said in NONSENSE:
        with pytest.raises(error, match=said):
            fleet("command", *words, *DEMO)


def test_all_commands_are_listed_with_what_they_take(fleet: Edgectl) -> None:
    listed = fleet.local("command", "--list")["commands"]
    assert {"ping", "status"} <= set(listed)
    assert listed["restart"]["args"]["required"] == ["pipeline"]
