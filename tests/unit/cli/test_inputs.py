"""What the command line of infer names as input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from agent.cli import main as cli
from agent.cli.inputs import Inputs, choose, features_of, plugins_of, pre_told, stages_of
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


def test_features_come_with_their_keys() -> None:
    assert features_of("") == {}
    assert features_of("micro_speech") == {"features": {"kind": "micro_speech"}}
    told = {"kind": "log_mel", "rate": 16000, "frame": 480, "hop": 320, "mel": "slaney"}
    assert features_of("log_mel:rate=16000,frame=480,hop=320,mel=slaney") == {"features": told}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("wavelet", "'wavelet'"),
        ("log_mel:rate=16000", "frame: Field required"),
        ("micro_speech:rate", "'rate' is no KEY=VALUE"),
        ("micro_speech:rate=16000", "rate: Extra inputs are not permitted"),
        ("micro_speech:rate=\udcff", "not UTF-8"),
    ],
)
def test_features_that_are_none_are_refused_with_a_way_out(text: str, words: str) -> None:
    with pytest.raises(InputRejected, match=words) as caught:
        features_of(text)
    assert caught.value.hint


def test_how_a_picture_is_prepared_is_told_beside_the_features() -> None:
    assert pre_told("", {"features": {}}) == {"features": {}}
    told = pre_told('resize=letterbox,pad=114,mean=127.5,std=[1,2,3],inputs={x="frame",h={from="y"}}', {})
    assert told == {
        "resize": "letterbox",
        "pad": 114,
        "mean": [127.5],
        "std": [1, 2, 3],
        "inputs": {"x": "frame", "h": {"from": "y"}},
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("resize=zoom", "resize: "),
        ("maen=1", "maen: Extra inputs are not permitted"),
        ("resize", "'resize' is no KEY=VALUE"),
        ("pad=3", "pad: of letterbox"),
        ("color=bgr", "color: of pictures"),
    ],
)
def test_what_is_told_and_cannot_be_is_refused_in_one_line(text: str, words: str) -> None:
    features = {"features": {"kind": "micro_speech"}} if text == "color=bgr" else {}
    with pytest.raises(InputRejected, match=words) as caught:
        pre_told(text, features)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("option", [("--pre", "resize=crop"), ("--features", "micro_speech")])
def test_what_a_manifest_says_is_refused_rather_than_ignored(
    option: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["infer", "vibration", "--source", "synthetic", *option]) == 1
    said = f"read {option[0]}: vibration is a bundle, whose manifest says what it takes. Leave it out"
    assert said in capsys.readouterr().err


def test_gates_are_read_in_order_and_one_that_is_not_there_is_named() -> None:
    first, second = plugins_of(["motion:region=true,hold_s=2", "level:threshold=0.1"], "gates")
    assert (first.kind, first.options) == ("motion", {"region": True, "hold_s": 2})
    assert (second.kind, second.options) == ("level", {"threshold": 0.1})
    assert plugins_of([], "gates") == ()
    with pytest.raises(ConfigInvalid, match="there is no 'emotion'"):
        plugins_of(["emotion"], "gates")
    with pytest.raises(InputRejected, match="--gate motion:x: 'x' is no KEY=VALUE"):
        plugins_of(["motion:x"], "gates")


def test_further_models_are_read_in_order_and_a_wrong_key_is_named() -> None:
    first, second = stages_of(
        ['kind:model=a.tflite,crops=["cat","dog"],decoder={top_k=1}', "all:model=glyphs"]
    )
    assert (first.name, first.model, first.crops) == ("kind", "a.tflite", ("cat", "dog"))
    assert first.decoder == {"top_k": 1}
    assert (second.name, second.crops) == ("all", None)
    assert stages_of([]) == ()
    with pytest.raises(InputRejected, match="model: Field required"):
        stages_of(['kind:crops=["cat"]'])
    with pytest.raises(InputRejected, match="crop: Extra"):
        stages_of(["kind:model=a.tflite,crop=1"])
