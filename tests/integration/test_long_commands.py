"""Commands that take a while, done by a real agent: through its inbox, from the local socket."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import pytest

from agent.cli.device.commanding import carried_out
from tests.simulators.running_agent import CAMERA, RunningAgent

if TYPE_CHECKING:
    from collections.abc import Iterator

PIPELINE = f"""{CAMERA}
remote_snapshots = true
privacy = [{{ points = [[0, 0], [0.5, 1]], how = "fill" }}]
[[pipelines]]
name = "yard"
model = "glyphs"
{CAMERA}
"""
MORE = """
[mqtt]
host = "127.0.0.1"
port = 1
password = "hunter2-config"
[trust]
unsigned = true
"""


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    with RunningAgent(tmp_path_factory.mktemp("agent"), PIPELINE, MORE) as running:
        running.until_inferred(5)
        yield running
        assert running.end() == 0


def done(agent: RunningAgent, op: str, **args: Any) -> dict[str, Any]:
    """Have a command done; give its result."""
    outcome = carried_out(agent.control, op, args, 60)
    assert outcome["state"] == "done", outcome
    result: dict[str, Any] = outcome["result"]
    return result


def test_a_picture_shows_what_the_pipeline_sees_behind_its_privacy(agent: RunningAgent) -> None:
    [file] = done(agent, "snapshot", pipeline="door")["files"]
    picture = cv2.imread(file)
    assert picture is not None
    assert picture.shape == (120, 160, 3)
    assert picture[:, :70].std() < 3  # hidden
    assert picture[:, 90:].std() > 3


def test_a_picture_is_refused_where_the_configuration_does_not_allow_it(agent: RunningAgent) -> None:
    outcome = carried_out(agent.control, "snapshot", {"pipeline": "yard"}, 60)
    assert (outcome["state"], outcome["refusal"]) == ("refused", "local")
    assert "pipelines.remote_snapshots is false" in outcome["reason"]


def test_a_bundle_of_a_running_agent_has_its_status_and_log_and_no_secret(agent: RunningAgent) -> None:
    [file] = done(agent, "diagnostics")["files"]
    parts = {}
    with tarfile.open(file) as archive:
        for member in archive:
            extracted = archive.extractfile(member)
            assert extracted is not None
            parts[Path(member.name).name] = extracted.read()
    assert b"lane.ready" in parts["log.txt"]
    assert b'"door"' in parts["status.json"]
    assert b"agent.workers.main" in parts["processes.json"]
    assert parts["missing.json"] == b"{}"
    assert b"hunter2" not in b"".join(parts.values())


def test_the_newest_lines_are_asked_of_a_running_agent(agent: RunningAgent) -> None:
    lines = done(agent, "logs", lines=500)["lines"]
    assert any("lane.ready door" in line for line in lines)
    assert done(agent, "log-level", level="debug", seconds=1.0) == {"level": "debug", "seconds": 1.0}


def test_what_is_purged_is_counted_and_the_pipelines_go_on(agent: RunningAgent) -> None:
    told = done(agent, "purge", what=["results", "media", "bundles"])
    assert told["results"]["records"] == told["results"]["undelivered"] > 0
    assert told["bundles"] == {"bundles": 0, "bytes": 0}
    agent.until_inferred(3)
    assert agent.status()["store"]["streams"]["result"]["lost"] >= told["results"]["records"]


def test_a_command_that_fails_says_why(agent: RunningAgent) -> None:
    outcome = carried_out(agent.control, "prove", {"pipeline": "door", "model": "glyphs@9"}, 60)
    assert (outcome["state"], "it is not on this device" in outcome["reason"]) == ("failed", True)
