"""What the command line of infer names as input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from agent.cli import main as cli
from agent.cli.inferring.inputs import Inputs, choose
from agent.errors import AgentError, ConfigInvalid, InputRejected

if TYPE_CHECKING:
    from pathlib import Path


def test_files_and_folders_are_pictures_each_with_its_name(tmp_path: Path) -> None:
    for name in ("b.png", "a.jpg", "notes.txt"):
        (tmp_path / name).touch()
    found = choose([str(tmp_path)], "")
    assert found.source == "images"
    assert found.files == found.options["paths"] == [str(tmp_path / "a.jpg"), str(tmp_path / "b.png")]


@pytest.mark.parametrize("device", ["/dev/video7", "/dev/v4l/by-id/usb-none", "/dev/null"])
def test_a_device_is_a_camera_even_when_it_is_not_plugged_in(device: str) -> None:
    found = choose([device], "")
    assert (found.source, found.options, found.files) == ("camera", {"device": device}, [])


@pytest.mark.parametrize("name", ["gate.mp4", "GATE.MKV"])
def test_a_video_file_is_a_video(name: str) -> None:
    assert choose([name], "").options == {"path": name}
    assert choose([name], "").source == "video"


def test_a_recording_and_an_rtsp_address_are_sources_as_they_stand() -> None:
    assert choose(["night.tar"], "") == Inputs("recording", {"path": "night.tar"})
    url = "rtsp://192.0.2.20/stream1?a=1,b=2"
    assert choose([url], "") == choose([], url) == Inputs("rtsp", {"url": url})


def test_an_http_address_is_one_of_two_kinds_and_its_secrets_are_not_told() -> None:
    for choice in ((["http://u:secret@192.0.2.20/x?key=secret"], ""), ([], "http://u:secret@192.0.2.20/x")):
        with pytest.raises(
            InputRejected, match=r"source 192\.0\.2\.20/x: .*http_mjpeg:url=.*http_snapshot:url="
        ) as caught:
            choose(*choice)
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("synthetic", {}),
        ("synthetic:seed=7", {"seed": 7}),
        ("synthetic:noise=0.5,blur=1.0", {"noise": 0.5, "blur": 1.0}),
        ("video:path=a=b.mp4,loop=true", {"path": "a=b.mp4", "loop": True}),
        ('video:path="7"', {"path": "7"}),
        ("video:path=/dev/x y", {"path": "/dev/x y"}),
        ('hwmon:channels=["temp1","in0"],rate=1', {"channels": ["temp1", "in0"], "rate": 1}),
        ("serial:pattern='(?P<x>\\d{1,3}),.*',rate=1", {"pattern": r"(?P<x>\d{1,3}),.*", "rate": 1}),
        (
            'modbus:registers=[{name="a",address=1}],unit=2',
            {"registers": [{"name": "a", "address": 1}], "unit": 2},
        ),
        ("video:path=[1.mp4,loop=true", {"path": "[1.mp4", "loop": True}),
        ("video:path=", {"path": ""}),
        pytest.param("video:path=" + "[" * 5000, {"path": "[" * 5000}, id="deep"),
    ],
)
def test_a_source_comes_with_its_options(text: str, options: dict[str, Any]) -> None:
    found = choose([], text)
    assert (found.source, found.options) == (text.partition(":")[0], options)


@pytest.mark.parametrize(
    ("inputs", "source", "words"),
    [
        ([], "", "there is no input"),
        (["a.png"], "synthetic", "are both given"),
        ([], "synthetic:seed", "'seed' is no KEY=VALUE"),
        ([], "synthetic:=7", "'=7' is no KEY=VALUE"),
        ([], "synthetic:seed=1,", "'' is no KEY=VALUE"),
        (["nosuch.png"], "", "no file is there"),
        (["yes.WAV"], "", "Write wav:path=yes.WAV,window=16000"),
        (["pump.csv"], "", "Write samples:path=pump.csv,rate=100,window=256"),
        (["\udcff.png"], "", "not UTF-8"),
        ([], "synthetic:seed=\udcff", "not UTF-8"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_way_out(inputs: list[str], source: str, words: str) -> None:
    with pytest.raises(InputRejected, match=words) as caught:
        choose(inputs, source)
    assert caught.value.hint


def test_a_kind_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ConfigInvalid, match="synthetic"):
        choose([], "nosuch")
    with pytest.raises(AgentError):
        choose([], ":seed=7")


def test_inputs_may_stand_behind_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = str(tmp_path / "missing.png")
    assert cli.run(["infer", "glyphs", "--top", "1", missing]) == 1
    assert missing in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["glyphs", "a.png", "--top", "1", "b.png"], ["glyphs", "--tap", "1", "b.png"]]
)
def test_words_that_belong_to_nothing_are_refused(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.run(["infer", *words])
    assert "unrecognized arguments: " in capsys.readouterr().err
