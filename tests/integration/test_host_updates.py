"""The helper, with real pip and real virtual environments: releases that behave, and others."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from agent.errors import Rejected
from agent.host import updating
from agent.host.deputies import Units
from agent.host.helper import Helper
from agent.host.journal import Entry, Journal
from agent.host.managers import pip
from agent.host.managers.pip import Pip
from agent.host.settings import Update, load
from agent.host.updating import Updating
from tests.simulators.released import Board, wheel

if TYPE_CHECKING:
    from pathlib import Path

SILENT = ("run",)


def test_a_release_that_says_that_it_is_well_stays_and_the_one_before_is_kept(tmp_path: Path) -> None:
    board = Board(tmp_path)
    wheel(board.wheels, "1.1", form=6)
    board.ask(op="update", version="1.1")
    done = board.serve()
    assert (done.returncode, board.told["state"]) == (0, "done"), done.stderr
    assert (board.runs(), board.runs("edge-agent-proven"), board.form) == (
        "edge-agent-1.1",
        "edge-agent-1.1",
        "6",
    )
    assert (board.opt / "edge-agent-1.0").is_dir()
    assert board.log == [
        "1.1: version --json",
        "systemctl stop edge-agent.service",
        "1.1: version --json",
        "1.1: store migrate",
        "1.1: check",
        "systemctl start edge-agent.service",
        "1.1: run",
    ]
    assert sorted(one.name for one in board.helper.iterdir()) == ["able.json", "told.json"]


def test_a_release_of_an_index_is_downloaded_first_and_nothing_of_the_download_stays(tmp_path: Path) -> None:
    board = Board(tmp_path)
    offered = tmp_path / "simple" / "edge-inference-agent"
    offered.parent.mkdir()
    wheel(offered, "1.1")
    [name] = [one.name for one in offered.iterdir()]
    (offered / "index.html").write_text(f'<a href="{name}">{name}</a>')
    text = board.config.read_text().replace(
        f'wheels = "{board.wheels}"', f'index = "file://{offered.parent}"'
    )
    board.config.write_text(text)
    board.ask(op="update", version="1.1")
    done = board.serve()
    assert (board.told["state"], board.runs()) == ("done", "edge-agent-1.1"), done.stderr
    assert list((tmp_path / "fetched").iterdir()) == []


def test_of_a_download_nothing_is_built_that_a_wheel_names(tmp_path: Path) -> None:
    board = Board(tmp_path)
    source = tmp_path / "source"
    source.mkdir()
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "build"\nbackend-path = ["."]\n'
    )
    (source / "build.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    made = wheel(board.wheels, "1.1", needs=f"evil @ file://{source}")
    deputies = mock.Mock(wheels=board.wheels, fetch=lambda _: made.parent)
    update = Update(manager="pip", place=str(board.place), installer=(sys.executable, "-m", "pip"))
    Pip(update, deputies).fetch("1.1")
    assert not (tmp_path / "ran").exists()
    assert (board.opt / "edge-agent-1.1" / "bin" / "edge-agent").is_file()


def test_a_folder_that_was_just_made_when_the_power_went_is_no_other_programs(tmp_path: Path) -> None:
    board = Board(tmp_path)
    (board.opt / "edge-agent-1.1").mkdir()
    (board.opt / "edge-agent-1.2").mkdir()
    (board.opt / "edge-agent-1.2" / "mine").touch()
    update = Update(manager="pip", place=str(board.place), wheels=str(board.wheels))
    with mock.patch.object(pip, "run"):
        Pip(update, mock.Mock()).fetch("1.1")
        with pytest.raises(Rejected, match="not of this program"):
            Pip(update, mock.Mock()).fetch("1.2")


def test_an_answer_that_another_release_wrote_does_not_end_the_helper(tmp_path: Path) -> None:
    board = Board(tmp_path, reboot=True)
    (board.helper / "told.json").write_text('{"v": 2, "id": "command-0"}')
    board.ask(op="reboot")
    done = board.serve()
    assert (done.returncode, board.log) == (0, ["systemctl reboot"]), done.stderr


def test_a_disk_that_is_full_does_not_end_the_helper_nor_keep_it_from_an_update_that_was_cut_off(
    tmp_path: Path,
) -> None:
    board = Board(tmp_path, reboot=True)
    entry = Entry(
        id="command-0", version="1.1", before="1.0", form=5, step="returning", reason="it was cut off"
    )
    Journal(board.helper).write(entry)
    for name in ("able", "told"):  # what stands where a file is to be written keeps it from being written
        (board.helper / f".{name}.json.new").mkdir()
    board.ask(op="reboot")
    deputies = mock.Mock(as_agent=lambda _: "")
    helper = Helper(load(board.config), board.helper, deputies, boot="b" * 16, up_s=9999)
    with mock.patch.object(Updating, "_insist"), mock.patch.object(updating, "run") as ran:
        helper.run()
    assert mock.call(["systemctl", "start", "edge-agent.service"]) in ran.call_args_list
    assert (board.asked / "request.json").exists()


def test_a_helper_that_waits_for_more_obeys_no_configuration_of_before(tmp_path: Path) -> None:
    board = Board(tmp_path)
    changes = iter((False, True))

    def changed() -> bool:
        board.ask(op="reboot", id="command-2")
        return next(changes)

    board.ask(op="reboot")
    Helper(
        load(board.config), board.helper, Units(), boot="b" * 16, up_s=9999, stay_s=60, changed=changed
    ).run()
    assert board.told["id"] == "command-2"
    assert (board.asked / "request.json").exists()


def test_a_folder_of_requests_that_is_a_link_does_not_end_the_helper(tmp_path: Path) -> None:
    board = Board(tmp_path, reboot=True)
    board.asked.rename(tmp_path / "other")
    board.asked.symlink_to("other")
    board.ask(op="reboot")
    done = board.serve()
    assert (done.returncode, board.log) == (0, []), done.stderr


def test_a_release_that_says_nothing_is_taken_back_with_its_data_folder(tmp_path: Path) -> None:
    board = Board(tmp_path, probation_s=1)
    wheel(board.wheels, "1.1", form=6, faults=SILENT)
    board.ask(op="update", version="1.1")
    board.serve()
    assert board.told["state"] == "failed"
    assert "did not say that it is well within 1 s" in board.told["reason"]
    assert (board.runs(), board.runs("edge-agent-proven"), board.form) == (
        "edge-agent-1.0",
        "edge-agent-1.0",
        "5",
    )
    assert board.log[-5:] == [
        "1.1: version --json",
        "1.1: store migrate --to 5",
        "1.0: store migrate",
        "systemctl start edge-agent.service",
        "1.0: run",
    ]


def test_a_release_that_the_configuration_does_not_suit_never_takes_the_place(tmp_path: Path) -> None:
    board = Board(tmp_path)
    wheel(board.wheels, "1.1", faults=("check",))
    board.ask(op="update", version="1.1")
    board.serve()
    assert board.told["state"] == "failed"
    assert "check: it does not work" in board.told["reason"]
    assert board.runs() == "edge-agent-1.0"
    assert not (board.opt / "edge-agent-1.1").exists()
    assert "1.1: run" not in board.log
    assert board.log[-1] == "1.0: run"


def test_a_release_that_is_not_there_or_lies_about_its_version_leaves_the_agent_alone(tmp_path: Path) -> None:
    board = Board(tmp_path)
    wheel(board.wheels, "1.1", faults=("version",))
    for number, version in enumerate(("1.1", "9.9")):
        board.ask(op="update", version=version, id=f"command-{number}")
        board.serve()
        assert board.told["state"] == "failed"
    assert not list(board.opt.glob("*1.1*"))
    assert not [line for line in board.log if line.startswith("systemctl")]
    assert board.runs() == "edge-agent-1.0"


def test_a_release_goes_back_to_an_older_one_with_the_data_folder_that_it_reads(tmp_path: Path) -> None:
    board = Board(tmp_path)
    wheel(board.wheels, "0.9", form=3)
    board.ask(op="update", version="0.9")
    board.serve()
    assert (board.told["state"], board.runs(), board.form) == ("done", "edge-agent-0.9", "3")
    assert board.log[3:5] == ["1.0: store migrate --to 3", "0.9: store migrate"]


ODD: tuple[dict[str, str], ...] = (
    {"op": "update"},
    {"op": "update", "version": "../../etc"},
    {"op": "update", "version": "--index-url=x"},
    {"op": "update", "version": "1.0"},
    {"op": "exec", "version": "1.1"},
    {"op": "update", "version": "1.1", "wheels": "/tmp"},
    {"op": "reboot"},
    {"op": "reboot", "id": "x" * 5000},
)


def test_what_is_odd_or_not_allowed_is_refused_and_gone_and_nothing_is_run(tmp_path: Path) -> None:
    board = Board(tmp_path)
    settings = load(board.config)
    for request in ODD:
        board.ask(**request)
        Helper(settings, board.helper, Units(), boot="b" * 16, up_s=9999).run()
        assert not (board.asked / "request.json").exists()
        told = board.helper / "told.json"
        assert not told.exists() or json.loads(told.read_text())["state"] == "refused"
        told.unlink(missing_ok=True)
    assert board.log == []


def test_a_reboot_is_asked_of_systemd_once_for_each_command(tmp_path: Path) -> None:
    board = Board(tmp_path, reboot=True)
    board.ask(op="reboot")
    board.serve()
    board.ask(op="reboot")  # as if it had not been removed before the power went
    board.serve()
    assert board.log == ["systemctl reboot"]
    assert json.loads((board.helper / "able.json").read_text())["reboot"] is True


def test_a_configuration_that_others_may_write_allows_nothing(tmp_path: Path) -> None:
    board = Board(tmp_path, reboot=True)
    board.config.chmod(0o666)
    board.ask(op="reboot")
    done = board.serve()
    assert (done.returncode, "others than root may write it" in done.stderr) == (1, True)
    assert board.log == []
