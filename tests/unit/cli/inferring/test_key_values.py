"""What KIND:KEY=VALUE,... on the command line comes to, and what of it is refused."""

from __future__ import annotations

import pytest

from agent.cli import main as cli
from agent.cli.inferring.key_values import features_of, pairs, plugins_of, pre_told, stages_of
from agent.errors import ConfigInvalid, InputRejected


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


@pytest.mark.parametrize("names", [["a", "b", "a"], list("abcdefghi")])
def test_further_models_have_names_of_their_own_and_are_8_at_most(names: list[str]) -> None:
    stages_of([f"{name}:model=glyphs" for name in names[:-1]])
    with pytest.raises(InputRejected, match="there are 8 at most, each with a name of its own"):
        stages_of([f"{name}:model=glyphs" for name in names])


def test_a_value_that_no_worker_could_be_sent_is_a_text() -> None:
    deep = f"{'[' * 200}{']' * 200}"
    assert pairs(f"images:path={deep}", "--source", "docs")[1] == {"path": deep}
