"""edge-agent model, with the agent stopped: it reads the folder, and rolls back in it."""

from __future__ import annotations

import itertools
import json
import shutil
import socket
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from agent import resources
from agent.cli import run as agent_run
from agent.cli.main import run
from agent.errors import StoreBusy
from agent.store.folder import DataFolder
from agent.store.kept import read_kept
from tests.simulators.operator import settle
from tests.simulators.tuf_fleet import TufFleet

if TYPE_CHECKING:
    from pathlib import Path

    from agent.slots import Kept


@pytest.fixture
def config(tmp_path: Path) -> str:
    (tmp_path / "1.root.json").write_bytes(TufFleet().root)
    path = tmp_path / "agent.toml"
    path.write_text(
        f'[store]\npath = "{tmp_path / "data"}"\n[control]\npath = "{tmp_path / "sock"}"\n'
        '[models]\nroot = "1.root.json"\n'
        '[[pipelines]]\nname = "door"\nmodel = ""\nsource = { kind = "synthetic" }\n'
    )
    (tmp_path / "data").mkdir()
    return str(path)


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert run(["model", *arguments]) == code
    out, err = capsys.readouterr()
    return err if code else out


def as_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(said(capsys, *arguments, "--json"))
    return found


def test_a_list_names_what_each_pipeline_has(
    tmp_path: Path, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = settle(tmp_path / "data", active=2, previous=1)
    told = as_json(capsys, "list", "--config", config)["pipelines"]["door"]
    assert told["slots"]["active"]["bundle"] == found["active"]
    assert told["previous"]["name"] == "one"
    assert "one@1" in said(capsys, "list", "--config", config)


def test_a_card_says_what_the_bundle_says_of_itself(
    tmp_path: Path, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = settle(tmp_path / "data", active=2)
    told = as_json(capsys, "show", "door", "--config", config)
    assert (told["digest"], told["manifest"]["license"]) == (found["active"], "MIT")
    text = said(capsys, "show", found["active"], "--config", config)
    assert "two@1  tensor  MIT" in text
    assert found["active"] in text


def test_a_pipeline_without_a_bundle_has_no_card(
    tmp_path: Path, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "no model from a bundle is active" in said(capsys, "show", "door", "--config", config, code=1)
    assert "no manifest.json" in said(capsys, "show", str(tmp_path), "--config", config, code=1)


def test_a_rollback_swaps_the_slots_in_the_folder(
    tmp_path: Path, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = settle(tmp_path / "data", active=2, previous=1)
    assert said(capsys, "rollback", "door", "--config", config) == "door: one@1\n"
    kept = read_kept(tmp_path / "data")
    assert [(row.slot, row.bundle) for row in kept.slots] == [("active", found["previous"])]
    assert [(one.bundle, one.state) for one in kept.verdicts] == [(found["active"], "rolled_back")]
    assert kept.audit[0] == 1
    assert "there is no model to go back to" in said(capsys, "rollback", "door", "--config", config, code=1)
    assert "there is no such pipeline" in said(capsys, "rollback", "gate", "--config", config, code=1)


def test_a_socket_that_a_dead_agent_has_left_is_in_nobodys_way(
    tmp_path: Path, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settle(tmp_path / "data", active=2, previous=1)
    with closing(socket.socket(socket.AF_UNIX)) as dead:
        dead.bind(str(tmp_path / "sock"))
    assert "one@1" in said(capsys, "list", "--config", config)
    assert said(capsys, "rollback", "door", "--config", config) == "door: one@1\n"


def test_a_disk_that_is_busy_at_the_start_is_read_when_it_is_not_and_never_taken_for_an_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = settle(tmp_path / "data", active=2)
    refused = iter([True, True, False])

    def moody(folder: Path) -> Kept:
        if next(refused, False):
            raise StoreBusy("read", str(folder), "database is locked")
        return read_kept(folder)

    monkeypatch.setattr("agent.store.kept.read_kept", moody)
    monkeypatch.setattr(agent_run, "_PAUSE_S", 0.01)
    kept = agent_run._kept(tmp_path / "data", 5.0)
    assert kept
    assert [row.bundle for row in kept.slots] == [found["active"]]
    refused = itertools.repeat(True)
    assert agent_run._kept(tmp_path / "data", 0.0) is None
    with pytest.raises(StoreBusy):
        agent_run._kept(tmp_path / "data", 0.0, vital=True)


def test_a_rollback_leaves_a_folder_alone_that_an_agent_holds(
    tmp_path: Path, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settle(tmp_path / "data", active=2, previous=1)
    with DataFolder(tmp_path / "data", "device"):
        assert "another agent" in said(capsys, "rollback", "door", "--config", config, code=1)


def test_a_proof_names_the_pipeline_that_it_is_for(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = said(capsys, "prove", "/nowhere", "--pipeline", "gate", "--config", config, code=78)
    assert "Name one of: door" in wrong


def test_a_bundle_that_is_on_the_device_is_proved_by_its_name(
    tmp_path: Path, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bundles = tmp_path / "data" / "models" / "bundles"
    (bundles / ("0" * 64)).mkdir(parents=True)
    shutil.copytree(resources.bundled_models()["glyphs"], bundles / ("a" * 64))
    version = json.loads((bundles / ("a" * 64) / "manifest.json").read_text())["version"]
    assert "goldens" in said(capsys, "prove", f"glyphs@{version}", "--config", config)
    wrong = said(capsys, "prove", "glyphs@0", "--config", config, code=1)
    assert "it is not on this device" in wrong


def test_a_pipeline_may_lack_a_model_only_where_the_operators_are_taken(
    tmp_path: Path, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (tmp_path / "agent.toml").read_text().replace('[models]\nroot = "1.root.json"\n', "")
    (tmp_path / "agent.toml").write_text(text)
    assert "models.root" in said(capsys, "list", "--config", config, code=78)
