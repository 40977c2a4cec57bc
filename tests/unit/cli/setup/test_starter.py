from __future__ import annotations

from agent.boards.matching import Recognised
from agent.boards.profiles import Camera as Defaults
from agent.boards.profiles import Profile
from agent.cli.setup.starter import Found, compose
from agent.config import settings as config
from agent.sources.v4l2.devices import Camera


def composed(camera: Defaults, *overlays: tuple[str, str]) -> str:
    profile = Profile(name="board", description="", tested=False, camera=camera)
    found = Found(
        device="gate",
        board=Recognised(profile, "why", overlays),
        runtime="",
        cameras=(Camera("/dev/video0", "Cam"),),
        model="shapes",
        broker="",
        keys="",
        schema="agent.schema.json",
    )
    text = compose(found)
    settings = config.parse(text, "agent.toml")
    assert settings.source_of(settings.pipelines[0]).kind == "camera"
    return text


def test_what_the_board_asks_a_camera_for_is_told_where_there_is_something() -> None:
    words = "# Where nothing is said here the board's profile asks for:"
    assert f"{words} fps 15, width 640, height 480." in composed(Defaults(width=640, height=480, fps=15))
    assert words not in composed(Defaults())


def test_the_board_is_named_with_its_overlays_and_whether_it_is_tested() -> None:
    assert "here: board + stick (not tested yet)." in composed(Defaults(), ("stick", "why"))
