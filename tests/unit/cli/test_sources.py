"""edge-agent sources: what it prints can be pasted into a configuration."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING

import pytest

from agent import plugins
from agent.cli import main as cli
from agent.cli.sources import extras, inline, kinds
from agent.config import settings as config

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """A machine with two monitors, a bus that is down, and a port that the kernel uses."""
    files = {
        "sys/class/hwmon/hwmon0/name": "cpu_thermal\n",
        "sys/class/hwmon/hwmon0/temp1_input": "1\n",
        "sys/class/hwmon/hwmon1/name": 'odd "name"\n',
        "sys/class/hwmon/hwmon1/fan1_input": "1\n",
        "dev/ttyAMA0": "",
        "proc/consoles": "ttyAMA0 -W- (EC p a) 204:64\n",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    return tmp_path


def test_what_is_printed_is_a_configuration(board: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["sources", "--root", str(board)]) == 0
    text = capsys.readouterr().out
    settings = config.parse(text, "printed.toml")
    found = {one.name: settings.source_of(one) for one in settings.pipelines}
    assert [(name, one.kind, one.options["device"]) for name, one in found.items()] == [
        ("hwmon1", "hwmon", "cpu_thermal"),
        ("hwmon2", "hwmon", 'odd "name"'),
    ]
    assert "# It cannot be used now: the kernel's console is on it." in text
    taken_away = "\n".join(
        line[1:] if line[:2] not in {"# ", "#"} and line.startswith("#") else line
        for line in text.splitlines()
    )
    assert [one.name for one in config.parse(taken_away, "all.toml").pipelines] == [
        "hwmon1",
        "hwmon2",
        "serial",
    ]


def test_where_nothing_can_be_used_the_synthetic_camera_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["sources", "--root", str(tmp_path)]) == 0
    [pipeline] = config.parse(capsys.readouterr().out, "printed.toml").pipelines
    assert pipeline.name == "camera"


def test_json_has_each_device_with_its_options_and_its_lines(
    board: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["sources", "--root", str(board), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["sources"]
    assert [one["kind"] for one in found] == ["hwmon", "hwmon", "serial"]
    for one in found:
        [pipeline] = tomllib.loads(one["toml"])["pipelines"]
        assert pipeline["source"] == {"kind": one["kind"], **one["options"]}
    assert found[-1]["problem"]
    assert found[-1]["hint"]


def test_every_kind_is_listed_with_what_it_is_and_the_extra_that_it_needs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.run(["sources", "--kinds", "--json"]) == 0
    found = {one["kind"]: one for one in json.loads(capsys.readouterr().out)["kinds"]}
    assert list(found) == plugins.names("sources")
    assert all(len(one["about"]) > 10 for one in found.values())
    assert (found["serial"]["extra"], found["serial"]["missing"]) == ("serial", [])
    assert found["video"]["extra"] == ""
    assert cli.run(["sources", "--kinds"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("serial") and "[serial] installed" in line for line in lines)


def test_an_extra_that_a_source_needs_has_the_name_of_its_kind() -> None:
    assert extras()["serial"] == ["pyserial"]
    assert {one["extra"] for one in kinds()} <= {"", *extras()}


def test_options_of_any_kind_stand_on_one_line() -> None:
    table = {"text": 'a "b" \\ c', "numbers": [1, 2.5], "yes": True, "tables": [{"id": 291, "name": "x"}]}
    assert tomllib.loads(f"x = {inline(table)}")["x"] == table


def test_a_root_that_is_no_folder_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.run(["sources", "--root", "/nosuch"])
    assert "'/nosuch' is no folder" in capsys.readouterr().err
