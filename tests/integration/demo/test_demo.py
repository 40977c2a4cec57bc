"""The demo as a program, unattended, and what it counts when something is amiss."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agent import __version__
from agent.demo.account import Counted, count
from agent.demo.pipelines import PIPELINES
from agent.demo.session import DemoSession
from agent.demo.show import unattended
from agent.errors import AgentError

NAMES = [one.name for one in PIPELINES]
COMMAND = [sys.executable, "-m", "agent.cli.main", "demo"]
SUMMED = ("frames", "inferred", "dropped", "failed", "lost_frames", "results", "stored", "worker_restarts")


def test_unattended_it_rolls_out_a_model_breaks_things_and_every_result_arrives_once() -> None:
    done = subprocess.run(
        [*COMMAND, "--seconds", "6", "--json"], capture_output=True, text=True, timeout=90, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    told: dict[str, Any] = json.loads(done.stdout)
    assert list(told["pipelines"]) == NAMES
    for one in told["pipelines"].values():
        assert one["results"] == one["stored"] == one["inferred"] > 0
        assert (one["missing"], one["duplicated"], one["in_flight"]) == (0, 0, 0)
        assert one["ledger_balanced"]
        assert 0 < one["infer_p50_ms"] <= one["infer_p99_ms"]
    assert all(told[key] == sum(one[key] for one in told["pipelines"].values()) for key in SUMMED)
    assert (told["missing"], told["duplicated"], told["broker_cuts"]) == (0, 0, 1)
    assert 0 < told["first_detection_s"] < told["seconds"] + 30
    assert (told["model_before"], told["model_after"]) == ("shapes@0.9.0", "shapes@1.0.0")
    assert (told["rolled_out"], told["frames_lost_in_swap"]) == (True, 0)
    assert told["tampered_refused"] is True
    assert told["tampered_reason"].startswith("fetch shapes.tflite: chunks 0 came damaged 3 times")
    killed, other = (told["pipelines"][name] for name in NAMES)
    assert killed["worker_restarts"] == 1
    assert (other["worker_restarts"], other["lost_frames"]) == (0, 0)


def test_a_program_that_was_killed_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(prefix="odd '\\n") as odd, monkeypatch.context() as patched:
        patched.setattr(tempfile, "tempdir", odd)
        with DemoSession() as session:
            assert list(Path(odd).iterdir()) == [session.folder]
            _kill_the_agent(session)
        assert list(Path(odd).iterdir()) == []


def _kill_the_agent(session: DemoSession) -> None:
    session._programs.kill("agent")
    began = time.monotonic()
    unattended(session, 0.5, quiet=True)
    with pytest.raises(AgentError, match="run agent: it was ended by SIGKILL"):
        session.finish()
    assert time.monotonic() - began < 20  # it does not wait for what cannot come


def test_in_words_it_says_what_it_breaks_and_gives_an_account_of_each_pipeline() -> None:
    done = subprocess.run(
        [*COMMAND, "--seconds", "5"], capture_output=True, text=True, timeout=90, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    for part in (
        "shapes@1.0.0 serves: ", "shapes@1.0.1 refused: ", "0 frames lost in the swap", "the device says: ",
        "cutting the broker", "bringing the broker back", f"killing the worker of {NAMES[0]}",
        *(f"\n{name} " for name in NAMES), "every result arrived exactly once", " init\n",
    ):  # fmt: skip
        assert part in done.stdout
    assert "\x1b" not in done.stdout


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """What a demo on amqtt leaves before it clears up: its data folder and its collector's database."""
    folder = tmp_path_factory.mktemp("demo")
    with DemoSession("amqtt") as session:
        unattended(session, 5.0, quiet=True)
        account = session.finish()
        assert account.good, account
        assert (account.broker, account.models.tampered_refused) == ("amqtt", True)
        assert account.models.frames_lost_in_swap == 0
        shutil.copytree(session.folder / "device", folder / "device")
        shutil.copy(session.folder / "fleet.db", folder / "fleet.db")
    return folder / "device", folder / "fleet.db"


def recounted(finished: tuple[Path, Path], tmp_path: Path, change: str) -> Counted:
    """Change the second pipeline's last result in a copy of the collector's database, and count again."""
    device, fleet = finished
    changed = tmp_path / "fleet.db"
    shutil.copy(fleet, changed)
    with closing(sqlite3.connect(changed)) as db, db:
        find = "SELECT max(seq) FROM results WHERE pipeline = ?"
        (seq,) = db.execute(find, (NAMES[1],)).fetchone()
        assert db.execute(change, (seq,)).rowcount == 1
    return count(device, changed, "demo-device", NAMES)


def test_the_collector_knows_who_is_there_and_which_agent_runs(finished: tuple[Path, Path]) -> None:
    with closing(sqlite3.connect(finished[1])) as db:
        rows = db.execute("SELECT device, version, online IN (0, 1) FROM devices").fetchall()
        kinds = {kind for (kind,) in db.execute("SELECT DISTINCT kind FROM results")}
        synced = db.execute("SELECT count(*) FROM results WHERE synced NOT IN (0, 1)").fetchone()
    assert rows == [("demo-device", __version__, 1)]
    assert kinds.isdisjoint({"ledger", "event", "metrics"})
    assert synced == (0,)


def test_a_result_that_the_collector_lacks_is_missed_in_its_pipeline_and_by_its_number(
    finished: tuple[Path, Path], tmp_path: Path
) -> None:
    counted = recounted(finished, tmp_path, "DELETE FROM records WHERE seq = ?")
    assert counted.missing == 1
    assert [counted.pipelines[name].missing for name in NAMES] == [0, 1]
    assert [counted.pipelines[name].balanced for name in NAMES] == [True, False]


def test_a_result_that_came_twice_is_seen_in_its_pipeline(
    finished: tuple[Path, Path], tmp_path: Path
) -> None:
    again = """INSERT INTO records
                SELECT device, stream, epoch, 900000, pipeline, frame, wall_ns, kind, body, synced
                FROM records WHERE seq = ?"""
    counted = recounted(finished, tmp_path, again)
    assert counted.missing == 0
    assert [counted.pipelines[name].duplicated for name in NAMES] == [0, 1]


def test_a_pipeline_of_which_nothing_came_is_counted_and_not_forgotten(
    finished: tuple[Path, Path], tmp_path: Path
) -> None:
    device, fleet = finished
    tally = count(device, fleet, "demo-device", [*NAMES, "third"]).pipelines["third"]
    assert (tally.results, tally.stored, tally.ledger.captured) == (0, 0, 0)
    counted = recounted(finished, tmp_path, "UPDATE records SET pipeline = 'stranger' WHERE seq = ?")
    assert not counted.pipelines["stranger"].balanced
