"""edge-agent plugin: a plugin that crashes or hangs costs a process of its own, and is told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from agent.cli import main, plugin
from agent.confinement import landlock
from agent.errors import EXIT_CONFIG
from tests.simulators.foreign_plugins import install, whole

if TYPE_CHECKING:
    from pathlib import Path

CHECKS = ["loads", "options", "described", "answers", "untouched", "passes_on", "repeatable"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which distributions are found, here and in the process that checks."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(plugin, "PATHS", (str(tmp_path),))
    return tmp_path


def checked(capsys: pytest.CaptureFixture[str], name: str, *options: str) -> tuple[int, dict[str, str]]:
    """Check a plugin; give the exit code, and the problem that each check found."""
    code = main.run(["plugin", "check", name, "--json", *options])
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert told["ok"] == (code == 0) == all(one["ok"] for one in told["checks"])
    return code, {one["check"]: one["problem"] for one in told["checks"]}


def test_a_sound_plugin_passes_and_its_own_words_go_nowhere(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(folder, "filters", "sound", whole("filters", 'print("chatter")\nreturn result'))
    code, found = checked(capsys, "sound")
    assert (code, list(found)) == (0, CHECKS)


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("crash", "os.kill(os.getpid(), signal.SIGSEGV)", "its process was ended by SIGSEGV"),
        ("leaves", "os._exit(0)", "its process ended"),
        ("hang", "while True: pass", "it did not end in 2 s"),
        ("raises", "raise KeyError('x')", "KeyError: 'x', at foreign_raises.py:"),
        ("odd", "raise GeneratorExit('x')", "its process ended"),
    ],
)
def test_what_ends_or_holds_up_the_process_is_a_check_that_failed_and_the_others_are_run(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, body: str, said: str
) -> None:
    install(folder, "filters", name, whole("filters", f"if frame.seq == 2:\n    {body}\nreturn result"))
    seconds = "2" if name == "hang" else "20"  # several checks hang, and each is waited for
    code, found = checked(capsys, name, "--timeout", seconds)
    assert (code, list(found)) == (1, CHECKS)
    assert said in found["answers"]
    assert found["loads"] == found["options"] == found["described"] == ""


def test_what_a_plugin_says_sends_no_control_characters_to_a_terminal(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(folder, "filters", "loud", whole("filters", r"raise RuntimeError('\x1b[2J')"))
    assert main.run(["plugin", "check", "loud"]) == 1
    told = capsys.readouterr().out
    assert "RuntimeError: " in told
    assert "\x1b" not in told


@pytest.mark.skipif(not landlock.abi(), reason="this kernel has no Landlock")
@pytest.mark.parametrize(
    "does", ["open('/etc/passwd').close()", "socket.create_connection(('127.0.0.1', 9))", "os.fork()"]
)
def test_what_a_plugin_reads_or_connects_to_is_refused_as_in_a_worker(
    folder: Path, capsys: pytest.CaptureFixture[str], does: str
) -> None:
    name = f"curious_{len(does)}"
    text = whole("filters", f"{does}\nreturn result").replace("import os,", "import os, socket,")
    install(folder, "filters", name, text)
    code, found = checked(capsys, name)
    assert code == 1
    assert "PermissionError: [Errno 1" in found["answers"]


def test_nothing_more_is_tried_of_what_does_not_load(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(folder, "gates", "broken", "import no_such_module_at_all\n")
    code, found = checked(capsys, "broken")
    assert (code, list(found)) == (1, ["loads"])
    assert main.run(["plugin", "check", "broken"]) == 1
    assert "FAIL loads" in capsys.readouterr().out


def test_one_that_is_not_there_is_told_with_those_that_are(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(folder, "filters", "sound", whole("filters", "return result"))
    for options in (["nosuch"], ["sound", "--room", "gates"]):
        assert main.run(["plugin", "check", *options]) == EXIT_CONFIG
    first, second = capsys.readouterr().err.splitlines()
    assert "decoders: anomaly, classification" in first
    assert "sound" in first
    assert "Installed are gates: " in second


def test_a_name_that_several_kinds_have_needs_the_kind(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(folder, "filters", "twice", whole("filters", "return result"))
    info = folder / "other-1.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text("[edge_agent.gates]\ntwice = foreign_twice\n")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1\n")
    assert main.run(["plugin", "check", "twice"]) == EXIT_CONFIG
    assert "--room filters, --room gates" in capsys.readouterr().err
    assert checked(capsys, "twice", "--room", "filters")[0] == 0


def test_the_list_says_where_each_comes_from(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install(folder, "filters", "sound", "raise RuntimeError('listing imports nothing')\n")
    assert main.run(["plugin", "list", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["plugins"]
    assert {"room": "sources", "name": "video", "from": "edge-agent"} in told
    assert {"room": "filters", "name": "sound", "from": "foreign_sound 1.2 (foreign_sound)"} in told
    assert main.run(["plugin", "list", "--room", "filters"]) == 0
    assert "foreign_sound 1.2" in capsys.readouterr().out
