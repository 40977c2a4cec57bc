"""The golden inputs of a bundle on disk."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from agent import resources
from agent.bundles.golden import Case, cases
from agent.bundles.load import read_manifest
from agent.errors import ManifestInvalid

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "glyphs"
    shutil.copytree(resources.bundled_models()["glyphs"], folder)
    return folder


def found_in(folder: Path) -> list[Case]:
    return list(cases(folder, read_manifest(folder)))


def test_every_case_is_a_file_and_what_must_come_of_it(bundle: Path) -> None:
    found = found_in(bundle)
    assert len(found) == 5
    for case in found:
        assert case.path.read_bytes() == case.data
        assert case.differs([dict(item) for item in case.expect]) == ""
        assert case.differs([{"label": "nothing", "score": 0.5}])


def test_a_file_that_is_not_the_one_that_was_hashed_is_refused(bundle: Path) -> None:
    (bundle / "golden/0.npy").write_bytes(b"other")
    with pytest.raises(ManifestInvalid, match="not the file that the manifest names"):
        found_in(bundle)


def test_a_file_that_is_missing_or_leads_out_is_refused(bundle: Path, tmp_path: Path) -> None:
    (bundle / "golden/0.npy").rename(tmp_path / "0.npy")
    with pytest.raises(ManifestInvalid, match="No such file"):
        found_in(bundle)
    (bundle / "golden/0.npy").symlink_to(tmp_path / "0.npy")
    with pytest.raises(ManifestInvalid, match="leads out of the bundle"):
        found_in(bundle)


def test_a_bundle_without_golden_inputs_has_no_cases(bundle: Path) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text())
    del manifest["golden"]
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    assert found_in(bundle) == []
