"""What comes with the agent is found, in a checkout and in a wheel."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from agent import manifest as manifests
from agent import resources

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_the_bundled_models_of_a_checkout_are_found() -> None:
    assert {"glyphs", "shapes"} <= resources.bundled_models().keys()


def test_a_wheel_carries_every_file_that_a_bundled_models_manifest_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packed = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    for name, folder in resources.bundled_models().items():
        manifest = manifests.parse((folder / "manifest.json").read_bytes())
        named = ["manifest.json", *(one.path for one in manifest.files)]
        for path in named:
            carried = [at for at in (path, path.split("/")[0]) if f"models/{name}/{at}" in packed]
            assert carried, f"{name}: {path}"
            assert packed[f"models/{name}/{carried[0]}"] == f"agent/_data/models/{name}/{carried[0]}"


def test_what_a_wheel_carries_goes_before_what_lies_beside_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place, name in ((tmp_path / "agent/_data", "packed"), (tmp_path, "beside")):
        (place / "models" / name).mkdir(parents=True)
        (place / "models" / name / "manifest.json").touch()
        (place / "models" / "no-bundle").mkdir()
        (place / "device_profiles").mkdir()
        (place / "device_profiles" / f"{name}.toml").touch()
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "agent")
    assert resources.bundled_models() == {"packed": tmp_path / "agent/_data/models/packed"}
    assert list(resources.device_profiles()) == ["packed"]
    (tmp_path / "agent/_data").rename(tmp_path / "elsewhere")
    assert list(resources.bundled_models()) == ["beside"]
    assert resources.device_profiles() == {"beside": tmp_path / "device_profiles/beside.toml"}


def test_where_nothing_comes_along_there_is_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "agent")
    assert resources.bundled_models() == resources.device_profiles() == {}
