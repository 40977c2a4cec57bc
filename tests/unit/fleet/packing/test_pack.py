"""From a model and a recipe to a bundle: what comes of it, and what is refused, with the real runtime."""

from __future__ import annotations

import shutil
import wave
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from agent import manifest, resources
from agent.bundles.golden import cases
from agent.bundles.load import load
from agent.errors import (
    AgentError,
    ConfigInvalid,
    InputRejected,
    ManifestInvalid,
    ModelInvalid,
)
from agent.fleet.packing.pack import Options, Packed, pack
from tests.simulators import tiny_models
from tests.simulators.tiny_models import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GLYPHS = resources.bundled_models()["glyphs"]
RECIPE = """\
name = "gate"
version = "1.0.0"
license = "Apache-2.0"
"""
PLAIN = RECIPE + "budget.measure = false\n"
CLASSES = PLAIN + 'task = "classification"\n'
UNPROVEN: dict[str, Any] = {"allow_unproven": True}


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Packed]:
    """Packs a model with a recipe; both lie in a folder of their own, and the bundle beside it."""
    (tmp_path / "in").mkdir()

    def made(model: bytes | Path, recipe: str, **options: Any) -> Packed:
        if isinstance(model, bytes):
            (tmp_path / "in" / "gate.tflite").write_bytes(model)
            model = tmp_path / "in" / "gate.tflite"
        (tmp_path / "in" / "m.toml").write_text(recipe)
        return pack(Options(model, tmp_path / "in" / "m.toml", out=tmp_path / "out", **options))

    return made


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", ["glyphs", "shapes", "vibration"])
def test_the_bundled_models_come_out_as_they_were_trained(
    make: Callable[..., Packed], tmp_path: Path, name: str
) -> None:
    folder = resources.bundled_models()[name]
    known = manifest.parse((folder / "manifest.json").read_bytes())
    shutil.copytree(folder, tmp_path / "in" / name)
    recipe = [f'name = "{known.name}"', f'version = "{known.version}"', f'task = "{known.task}"']
    recipe += [f'license = "{known.license}"', "budget.measure = false", "[post]"]
    recipe += [
        f"{key} = {value!r}" for key, value in (known.post or manifest.Post(kind="x")).model_dump().items()
    ]
    for one in known.golden:
        recipe += ["[[golden]]", f'input = "{name}/{one.input}"', f"tol = {one.tol}"]
    if known.labels:
        recipe.insert(0, f'labels = "{name}/{known.labels}"')
    packed = make(folder / known.model, "\n".join(recipe))
    made = manifest.parse((packed.folder / "manifest.json").read_bytes())
    assert made == packed.manifest
    assert made == known.model_copy(
        update={"files": tuple(sorted(known.files, key=lambda entry: entry.path))}
    )
    assert manifest.digest((packed.folder / "manifest.json").read_bytes()) == packed.digest


def test_a_bundle_loads_and_holds_to_its_digest(make: Callable[..., Packed]) -> None:
    recipe = RECIPE + f'task = "classification"\nlabels = "{GLYPHS}/labels.txt"\n'
    recipe += f'[[golden]]\ninput = "{GLYPHS}/golden/0.npy"\nkeys = ["index", "label"]\nitems = 2\n'
    packed = make(GLYPHS / "glyphs.tflite", recipe, chunk=4096)
    loaded = load(packed.folder, packed.digest)
    assert (loaded.name, loaded.version, loaded.task) == ("gate", "1.0.0", "classification")
    [case] = cases(packed.folder, packed.manifest)
    assert [sorted(item) for item in case.expect] == [["index", "label"]] * 2
    made = packed.manifest
    assert len(made.file("glyphs.tflite").chunks) == 10
    assert made.quantized
    assert packed.cost is not None
    assert made.budget.p95_ms is not None
    assert made.budget.p95_ms >= max(5, packed.cost.p95_ms * 10)
    assert made.budget.rss_mb is not None
    assert made.budget.rss_mb >= max(16, packed.cost.rss_mb * 2)
    assert isinstance(made.runtime, dict)
    assert made.runtime["p95_ms"] == pytest.approx(packed.cost.p95_ms, rel=1e-3)


def test_what_is_packed_twice_from_the_same_has_the_same_digest_where_nothing_is_measured(
    make: Callable[..., Packed], tmp_path: Path
) -> None:
    recipe = CLASSES + f'[[golden]]\ninput = "{GLYPHS}/golden/1.npy"\n'
    first = make(GLYPHS / "glyphs.tflite", recipe)
    (tmp_path / "out").rename(tmp_path / "before")
    assert make(GLYPHS / "glyphs.tflite", recipe).digest == first.digest


FLOAT = tiny_models.echo("float32", (1, 2, 2, 1))
BYTES = tiny_models.echo("uint8", (1, 2, 2, 1))
ROW = tiny_models.echo("uint8", (1, 4))
TWO = tiny_models.add()


@pytest.mark.parametrize(
    ("model", "recipe", "options", "error", "said"),
    [
        (BYTES, CLASSES, {}, ConfigInvalid, "m.toml: it names no golden input"),
        (BYTES, CLASSES + 'labels = "m.toml"\n', UNPROVEN, ModelInvalid, "there are 6 labels for 4 classes"),
        (FLOAT, CLASSES, UNPROVEN, ModelInvalid, "it is not quantized. Quantize it with: edgectl quantize"),
        (b"TFL3", CLASSES, UNPROVEN, ModelInvalid, "in/gate.tflite: it is not a TFLite model"),
        (BYTES, CLASSES + 'nane = "x"\n', UNPROVEN, ConfigInvalid, "m.toml:6: nane: there is no such key"),
        (BYTES, PLAIN, UNPROVEN, ConfigInvalid, "task: this key is missing"),
        (BYTES, 'task = "tensor"\nname = "x"', UNPROVEN, ConfigInvalid, "version: this key is missing"),
        (BYTES, CLASSES, {"variants": ("edgetpu",), **UNPROVEN}, ConfigInvalid, "it is no DELEGATE=FILE"),
        (
            BYTES,
            RECIPE + 'task = "tensor"\nbudget.p95_ms = 1e-9\n',
            UNPROVEN,
            ConfigInvalid,
            "budget.p95_ms = 1e-09: p95_ms is 0.0 on this machine already",
        ),
        (
            BYTES,
            CLASSES + '[[golden]]\ninput = "gone.png"\n',
            {},
            InputRejected,
            "gone.png: No such file or directory",
        ),
        (
            BYTES,
            CLASSES + '[[golden]]\ninput = "m.toml"\n',
            {},
            InputRejected,
            "in/m.toml: it is no picture",
        ),
    ],
)
def test_what_would_fail_later_is_refused_in_one_line_and_leaves_nothing(  # noqa: PLR0917
    make: Callable[..., Packed],
    tmp_path: Path,
    model: bytes,
    recipe: str,
    options: dict[str, Any],
    error: type[AgentError],
    said: str,
) -> None:
    with pytest.raises(error) as caught:
        make(model, recipe, **options)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert ".new" not in str(caught.value)
    assert left(tmp_path) == ["in"]


def test_a_model_of_real_numbers_is_taken_when_it_is_allowed(make: Callable[..., Packed]) -> None:
    packed = make(FLOAT, CLASSES, allow_float=True, **UNPROVEN)
    assert not packed.manifest.quantized


def test_an_answer_that_is_not_the_expected_one_is_refused(make: Callable[..., Packed]) -> None:
    recipe = CLASSES + f'[[golden]]\ninput = "{GLYPHS}/golden/0.npy"\nexpect = [{{index = 99}}]\n'
    with pytest.raises(ManifestInvalid, match=r"item 0: index is \d in place of 99\. Mend expect"):
        make(GLYPHS / "glyphs.tflite", recipe)


def test_labels_that_are_packed_in_the_model_fill_the_gap(make: Callable[..., Packed]) -> None:
    model = tiny_models.packed(BYTES, {"labels.txt": b"a\nb\nc\nd\n"})
    packed = make(model, CLASSES, **UNPROVEN)
    assert (packed.folder / "labels.txt").read_text() == "a\nb\nc\nd\n"
    assert load(packed.folder).labels.names == ("a", "b", "c", "d")


def test_a_file_that_the_decoder_needs_is_packed_and_found_again(
    make: Callable[..., Packed], tmp_path: Path
) -> None:
    np.save(tmp_path / "in" / "known faces.npy", np.eye(4, dtype=np.float32))
    np.save(tmp_path / "in" / "b.npy", np.array([[[0], [255]], [[0], [0]]], np.uint8))
    recipe = PLAIN + 'task = "embedding"\n[post]\nkind = "embedding"\ngallery = "known faces.npy"\n'
    packed = make(BYTES, recipe + '[[golden]]\ninput = "b.npy"\n')
    model = load(packed.folder)
    assert model.post == {"gallery": "gallery/known_faces.npy"}
    assert [case.expect for case in cases(packed.folder, packed.manifest)] == [
        ({"label": "class 1", "score": 1.0},)
    ]


def test_a_file_that_the_decoder_needs_and_is_not_there_is_named(make: Callable[..., Packed]) -> None:
    recipe = PLAIN + 'task = "embedding"\n[post]\nkind = "embedding"\ngallery = "known faces.npy"\n'
    with pytest.raises(ModelInvalid, match=r"read gallery .*known faces\.npy"):
        make(BYTES, recipe, allow_unproven=True)


def test_a_sound_becomes_a_window(make: Callable[..., Packed], tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "in" / "tone.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(np.array([0, 16384, -32768, 32767], "<i2").tobytes())
    model = tiny_models.reshape(Tensor("x", "float32", (1, 4, 1)), Tensor("y", "float32", (1, 4)))
    recipe = PLAIN + 'task = "tensor"\n[[golden]]\ninput = "tone.wav"\n'
    packed = make(model, recipe, allow_float=True)
    assert np.load(packed.folder / "golden/0.npy").tolist() == [[0], [0.5], [-1], [32767 / 32768]]
    [item] = packed.manifest.golden[0].expect
    assert (item["min"], item["argmax"]) == (-1, 3)


def test_a_file_that_is_no_sound_is_refused(make: Callable[..., Packed], tmp_path: Path) -> None:
    (tmp_path / "in" / "tone.wav").write_bytes(b"RIFF")
    with pytest.raises(InputRejected, match=r"tone\.wav: it is no sound that we read"):
        make(FLOAT, PLAIN + 'task = "tensor"\n[[golden]]\ninput = "tone.wav"\n', allow_float=True)


def test_a_folder_that_is_there_is_left_alone(make: Callable[..., Packed], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(AgentError, match="it is there already"):
        make(BYTES, CLASSES, **UNPROVEN)
    assert left(tmp_path) == ["in", "out"]


def test_a_variant_must_have_the_models_own_tensors(make: Callable[..., Packed], tmp_path: Path) -> None:
    other = tmp_path / "in" / "other.tflite"
    other.write_bytes(tiny_models.echo("uint8", (1, 2, 2, 3)))
    with pytest.raises(ModelInvalid, match=r"its tensors \[1, 2, 2, 3\] -> \[1, 12\] are not those"):
        make(BYTES, CLASSES, variants=(f"gpu={other}",), **UNPROVEN)
    with pytest.raises(ModelInvalid, match="it is not compiled for the Edge TPU"):
        make(BYTES, CLASSES, variants=(f"edgetpu={other}",), **UNPROVEN)
    other.write_bytes(BYTES)
    packed = make(BYTES, CLASSES, variants=(f"gpu={other}",), **UNPROVEN)
    assert packed.manifest.variants == {"gpu": "gpu/other.tflite"}


@pytest.mark.shared
def test_a_real_model_is_packed_with_its_twin_and_what_its_maker_says_of_it(
    make: Callable[..., Packed], shared: Path
) -> None:
    models = shared / "models"
    recipe = 'version = "1.0"\nlicense = "Apache-2.0"\ntask = "classification"\nbudget.measure = false\n'
    recipe += f'[[golden]]\ninput = "{models}/media/cat.bmp"\n'
    twin = models / "mobilenet_v1_0.25_128_quant_edgetpu.tflite"
    packed = make(models / "mobilenet_v1_0.25_128_quant.tflite", recipe, variants=(f"edgetpu={twin}",))
    made = packed.manifest
    assert (made.name, made.pre.mean, made.pre.std) == ("imageclassifier", (127.5,), (127.5,))
    assert made.quantized
    assert made.labels == "labels.txt"
    assert "cat" in made.golden[0].expect[0]["label"]
