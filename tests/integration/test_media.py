"""A whole agent keeps pictures and clips of events: what is private is in none of them."""

from __future__ import annotations

import json
import os
import stat
import sys
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from agent.cli import main
from agent.store.media import listed
from tests.simulators import eventful
from tests.simulators.running_agent import RunningAgent

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from agent.store.media import Kept
    from agent.types import Array

CAMERA = """
source = { kind = "synthetic", width = 320, height = 240, fps = 25 }
privacy = [{ points = [[0, 0], [0.5, 0.5]] }]
filters = [{ kind = "eventful", first = 60, every = 10000 }]
"""
CLIP = 'media = { on = ["glyph.seen"], clip = true, before_s = 1, after_s = 1, fps = 10, every_s = 1 }'


class Eventful(RunningAgent):
    """An agent whose workers find the filter."""

    def __init__(self, folder: Path, media: str) -> None:
        self.program = [sys.executable, "-m", "tests.simulators.eventful"]
        self.environment = os.environ | {eventful.PYTHON: eventful.installed(folder / "plugins")}
        super().__init__(folder, f"{CAMERA}{media}")

    def media(self, count: int) -> list[Kept]:
        """Wait until so many are kept."""
        self.until(lambda _: len(listed(self.data)) >= count, 40.0)
        return listed(self.data)


def frames(path: Path) -> list[Array]:
    film, found = cv2.VideoCapture(str(path)), []
    while (read := film.read())[0]:
        found.append(read[1])
    film.release()
    return found


def hidden(picture: Array) -> bool:
    """Whether the private quarter is black, but for what JPEG smears over its edge, and the rest is not."""
    return int(picture[:104, :144].max()) <= 8 and picture[136:, 176:].mean() > 16


def test_an_event_leaves_a_picture_and_a_clip_with_what_was_before_and_after_and_nothing_private(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Eventful(tmp_path, CLIP) as agent:
        snapshot, clip = agent.media(2)
        assert agent.end() == 0
        records, _ = agent.stored()
    assert (snapshot.kind, clip.kind, clip.frame) == ("snapshot", "clip", snapshot.frame)
    [event] = [event for record in records for event in record.get("events", ())]
    assert event == {
        "event": "glyph.seen",
        "label": "a",
        "media": [
            {
                "kind": "snapshot",
                "type": "image/jpeg",
                "sha256": snapshot.sha256,
                "bytes": snapshot.bytes,
            },
            {"kind": "clip", "type": "video/x-msvideo", "clip": clip.clip},
        ],
    }
    folder = agent.data / "media"
    picture = cv2.imread(str(folder / snapshot.name))
    film = frames(folder / clip.name)
    assert picture is not None
    assert all(hidden(frame) for frame in [picture, *film])
    assert 3 <= len(film) <= 22  # the most is 21; a busy machine captures fewer
    nearest = int(np.argmin([np.abs(frame.astype(int) - picture).mean() for frame in film]))
    assert 1 <= nearest < len(film) - 1
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert main.run(["media", "--folder", str(agent.data), "--json"]) == 0
    told: list[dict[str, Any]] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["sha256"], one["events"]) for one in told] == [
        (snapshot.sha256, ["glyph.seen"]),
        (clip.sha256, ["glyph.seen"]),
    ]


def test_a_clip_that_is_under_way_when_the_agent_ends_is_kept_as_far_as_it_is(tmp_path: Path) -> None:
    with Eventful(tmp_path, CLIP.replace("after_s = 1", "after_s = 30")) as agent:
        agent.media(1)
        assert agent.end() == 0
    assert [one.kind for one in listed(agent.data)] == ["snapshot", "clip"]
    assert len(frames(agent.data / "media" / listed(agent.data)[1].name)) >= 2
