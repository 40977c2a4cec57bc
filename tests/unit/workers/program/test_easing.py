"""What doing with less comes to, before anything is loaded."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from agent import resources
from agent.errors import ManifestInvalid
from agent.workers.program.easing import resolved
from agent.workers.spec import Eased, LaneSpec

if TYPE_CHECKING:
    from pathlib import Path

LESS = Eased(threads=1, variant="small")


def spec(model: object, eased: Eased = LESS, digest: str = "", **options: int) -> LaneSpec:
    return LaneSpec(
        pipeline="door", model=str(model), source="x", eased=eased, digest=digest, backend_options=options
    )


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle with a small variant: its model, since the files do not matter here."""
    folder = tmp_path / "glyphs"
    shutil.copytree(resources.bundled_models()["glyphs"], folder)
    told = json.loads((folder / "manifest.json").read_text())
    told["variants"] = {"small": told["model"]}
    (folder / "manifest.json").write_text(json.dumps(told))
    return folder


def test_a_bundle_without_a_small_variant_or_a_bare_model_has_none_to_turn_to() -> None:
    for model in (resources.bundled_models()["glyphs"], "glyphs", "/no/such.tflite"):
        assert resolved(spec(model, threads=1)) == resolved(spec(model, Eased(), threads=1))


def test_a_bundle_with_a_small_variant_turns_to_it_and_only_to_that(bundle: Path) -> None:
    assert resolved(spec(bundle)).eased == Eased(variant="small")
    assert resolved(spec(bundle, Eased(variant="edgetpu"))).eased == Eased()
    assert resolved(spec(bundle, Eased())).eased == Eased()


@pytest.mark.parametrize(("configured", "asked", "wanted"), [(4, 1, 1), (1, 2, 1), (3, 0, 3)])
def test_threads_become_fewer_and_never_more(configured: int, asked: int, wanted: int) -> None:
    assert resolved(spec("m", Eased(threads=asked), threads=configured)).backend_options == {
        "threads": wanted
    }
    assert resolved(spec("m", Eased(threads=asked))).backend_options == {}


def test_a_manifest_that_nobody_vouched_for_is_refused(bundle: Path) -> None:
    with pytest.raises(ManifestInvalid, match="vouched for"):
        resolved(spec(bundle, digest="0" * 64))
