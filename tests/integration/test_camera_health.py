"""A camera's faults and private regions, in real workers and a real agent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from agent.config.tables import Deadlines
from agent.foreground import Foreground
from agent.pictures import Health, Region
from agent.workers.spec import LaneSpec
from tests.integration.test_telemetry import stored
from tests.simulators.faulty_camera import FaultyCamera
from tests.simulators.running_agent import RunningAgent

if TYPE_CHECKING:
    from pathlib import Path

    from agent.pictures import Fault
    from agent.workers.record import Record


def pictures(folder: Path, *faults: Fault | None) -> list[str]:
    camera, paths = FaultyCamera(), []
    for at, fault in enumerate(faults):
        paths.append(str(folder / f"{at}.png"))
        assert cv2.imwrite(paths[-1], camera.draw(at, fault))
    return paths


def run(spec: LaneSpec) -> tuple[list[Record], Foreground]:
    lane = Foreground(spec, Deadlines())
    return [record for some in lane.run() for record in some], lane


def test_a_black_frame_has_a_record_that_says_so_and_the_others_have_results(tmp_path: Path) -> None:
    source = {"paths": pictures(tmp_path, None, "black", "black", None)}
    spec = LaneSpec(
        pipeline="door", model="glyphs", source="images", source_options=source, once=True,
        health=Health(frames=1, seconds=0),
    )  # fmt: skip
    records, lane = run(spec)
    assert [record.kind for record in records] == ["classification", "failed", "failed", "classification"]
    [item] = records[1].items
    assert item["reason"] == "black"
    assert item["problem"].startswith(f"look at {source['paths'][1]}: the picture is black")
    assert dict(lane.outcome.ledger.failed) == {"black": 2}
    assert lane.outcome.ledger.balanced


def test_what_is_private_is_in_no_picture_that_is_drawn(tmp_path: Path) -> None:
    drawn = tmp_path / "drawn"
    drawn.mkdir()
    source = {"paths": pictures(tmp_path, None)}
    spec = LaneSpec(
        pipeline="door", model="glyphs", source="images", source_options=source, once=True, draw=str(drawn),
        privacy=(Region(points=((0.5, 0.5), (1, 1))),),
    )  # fmt: skip
    run(spec)
    [path] = drawn.iterdir()
    picture = cv2.imread(str(path))
    assert picture is not None
    height, width = picture.shape[:2]
    corner = picture[height // 2 + 20 : height - 40, width // 2 + 20 : width - 20]  # no caption reaches it
    assert np.median(corner) <= 8
    assert picture[: height // 2, : width // 2].mean() > 30


def test_an_agent_says_that_its_camera_is_unwell_as_an_alert_and_in_its_status(tmp_path: Path) -> None:
    source = pictures(tmp_path, "black")
    pipeline = (
        f'source = {{ kind = "images", paths = {source}, loop = true }}\n'
        'health = { frames = 2, seconds = 0, frozen_s = 3600, faults = ["black", "frozen"] }'
    )
    with RunningAgent(tmp_path, pipeline) as agent:
        found = agent.until(lambda one: one["unwell"] == ["black"])
        found = agent.until(lambda one: one["ledger"]["failed"].get("black", 0) > 10)
        assert found["ledger"]["inferred"] == 0
        assert found["balanced"]
        assert agent.status()["events"]["source.unwell"] == 1
        assert "source.unwell door/black" in agent.log
        agent.end()
    [alert] = [one for one in stored(agent.data, "alert") if one["event"] == "source.unwell"]
    assert (alert["kind"], alert["level"], alert["subject"]) == ("event", "warning", "door/black")
    problem = "the picture is black. Take the cover off, or give it light"
    assert [item["problem"] for item in alert["items"]] == [problem]
