"""The bundles that the demo publishes are ones that a device would take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.backends.tflite import Options, build
from agent.bundles.load import load
from agent.demo.models import first, make, version
from agent.fleet.repository import bundle
from agent.manifest import MANIFEST, parse

if TYPE_CHECKING:
    from pathlib import Path


def test_the_demo_begins_with_an_earlier_version_of_what_it_rolls_out() -> None:
    before = parse((first() / MANIFEST).read_bytes())
    assert (before.name, before.version) == ("shapes", "0.9.0")
    assert version() == "1.0.0"


def test_what_it_rolls_out_is_the_bundled_model_and_may_be_published(tmp_path: Path) -> None:
    made = make(tmp_path / "made")
    found = bundle.read(made.folder, allow_float=False, allow_unproven=False)
    assert (found.title, found.digest) == (made.title, made.digest) == ("shapes@1.0.0", made.digest)
    bundled = load(first().parent)
    assert made.model.sha256 == bundled.sha256
    assert load(made.folder, made.digest).sha256 == bundled.sha256
    assert found.manifest.budget.p95_ms == 33.0


def test_each_further_version_is_another_file_of_the_same_model(tmp_path: Path) -> None:
    made = [make(tmp_path / str(further), further=further) for further in range(3)]
    assert [one.title for one in made] == ["shapes@1.0.0", "shapes@1.0.1", "shapes@1.0.2"]
    assert len({one.digest for one in made}) == len({one.model.sha256 for one in made}) == 3
    contents = [(one.folder / one.model.path).read_bytes() for one in made]
    assert contents[2] == contents[0] + bytes(2)
    assert build(Options(), contents[2]).inputs == build(Options(), contents[0]).inputs
    bundle.read(made[2].folder, allow_float=False, allow_unproven=False)
