"""The list of what an installation holds: read from wheels, written in CycloneDX."""

from __future__ import annotations

import hashlib
import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from release import contents
from release.deb.control import copyright_of
from release.sbom import bom, written
from release.source import HERE, Source
from release.target import Target

if TYPE_CHECKING:
    from pathlib import Path

TARGET = Target("arm64", "3.11")
MODEL = b"not parsed"


def wheel(folder: Path, name: str, said: str, **files: bytes) -> contents.Wheel:
    """Make a wheel with this metadata and these files, and read it."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}-1.0.dist-info/METADATA", f"Name: {name}\nVersion: 1.0\n{said}")
        for inside, data in files.items():
            archive.writestr(inside, data)
    return contents.read(path, TARGET.markers)


@pytest.fixture
def wheels(tmp_path: Path) -> list[contents.Wheel]:
    """The agent with a model; a library that brings one of somebody else's."""
    manifest = {"name": "dot", "version": "2.0.0", "license": "Apache-2.0", "model": "dot.tflite"}
    agent = wheel(
        tmp_path,
        "edge_inference_agent",
        "License-Expression: Apache-2.0\nRequires-Dist: Nums\nRequires-Dist: absent; python_version < '3'\n",
        **{
            "agent/_data/models/dot/manifest.json": json.dumps(manifest).encode(),
            "agent/_data/models/dot/dot.tflite": MODEL,
        },
    )
    nums = wheel(tmp_path, "nums", "License: BSD License\n", **{"nums.libs/libblas.so": b"\x7fELF"})
    return [agent, nums]


def test_it_names_distributions_native_libraries_and_models_with_hashes(wheels: list[contents.Wheel]) -> None:
    told: dict[str, Any] = json.loads(written(bom(Source(HERE), TARGET, wheels)))
    assert (told["specVersion"], told["metadata"]["component"]["name"]) == ("1.6", "edge-inference-agent")
    nums, dot = sorted(told["components"], key=lambda one: one["type"])
    assert (nums["purl"], nums["licenses"]) == ("pkg:pypi/nums@1.0", [{"license": {"id": "BSD-3-Clause"}}])
    assert nums["hashes"] == [{"alg": "SHA-256", "content": wheels[1].file.sha256}]
    assert [inside["name"] for inside in nums["components"]] == ["nums.libs/libblas.so"]
    assert (dot["type"], dot["version"]) == ("machine-learning-model", "2.0.0")
    assert dot["hashes"][0]["content"] == hashlib.sha256(MODEL).hexdigest()
    needs = {one["ref"]: one.get("dependsOn", []) for one in told["dependencies"]}
    assert needs["pkg:pypi/edge-inference-agent@1.0"] == ["model:dot@2.0.0", "pkg:pypi/nums@1.0"]


def test_the_same_release_gives_the_same_bytes_and_another_a_serial_number_of_its_own(
    wheels: list[contents.Wheel],
) -> None:
    first, again = (written(bom(Source(HERE), TARGET, wheels)) for _ in range(2))
    assert first == again
    other = written(bom(Source(HERE), TARGET, wheels[:1]))
    assert json.loads(other)["serialNumber"] != json.loads(first)["serialNumber"]


def test_what_a_wheel_needs_and_the_lock_lacks_is_noticed(wheels: list[contents.Wheel]) -> None:
    assert contents.lacking(wheels) == []
    assert contents.lacking(wheels[:1]) == ["nums"]


def test_the_packages_copyright_names_the_licence_of_each(wheels: list[contents.Wheel]) -> None:
    text = copyright_of(wheels)
    assert "Files: *\nCopyright: the Edge Agent authors\nLicense: Apache-2.0\n" in text
    assert (
        "site-packages/nums-1.0.dist-info/*\nCopyright: the authors of nums\nLicense: BSD-3-Clause\n" in text
    )
