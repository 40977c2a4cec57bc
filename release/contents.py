"""What stands in wheels: names, versions, licences, what they need, native libraries and models inside."""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import dataclass
from email import message_from_bytes
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from email.message import Message
    from pathlib import Path

_MODELS = "agent/_data/models/"
_LICENCES = {
    "Apache 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "3-Clause BSD License": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
}
"""What packages write, whose metadata is older than SPDX's names in it."""


@dataclass(frozen=True, slots=True)
class File:
    """A file inside a wheel.

    Attributes:
        path: where it is, from the environment's site-packages.
        sha256: its hash, in hexadecimal.
    """

    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Model:
    """A model inside the agent's wheel.

    Attributes:
        name: its name.
        version: its version.
        licence: an SPDX expression.
        file: the model itself.
    """

    name: str
    version: str
    licence: str
    file: File


@dataclass(frozen=True, slots=True)
class Wheel:
    """What a wheel says of itself.

    Attributes:
        file: its file name, and its hash.
        name: the distribution's name, as PyPI writes it.
        version: its version.
        summary: what it is, in a line.
        licence: an SPDX expression where the wheel says one, else what it says; "" when it says nothing.
        needs: the names of the distributions that it needs on the target.
        libraries: the native libraries of others that were put into it.
        models: the models in it.
    """

    file: File
    name: str
    version: str
    summary: str
    licence: str
    needs: tuple[str, ...]
    libraries: tuple[File, ...]
    models: tuple[Model, ...]


def read(path: Path, markers: Mapping[str, str]) -> Wheel:
    """Read a wheel.

    Args:
        path: the file.
        markers: the target, as PEP 508 names it.
    """
    with zipfile.ZipFile(path) as wheel:
        names = sorted(wheel.namelist())
        [metadata] = [name for name in names if name.count("/") == 1 and name.endswith(".dist-info/METADATA")]
        said = message_from_bytes(wheel.read(metadata))
        return Wheel(
            file=File(path.name, hashlib.sha256(path.read_bytes()).hexdigest()),
            name=canonicalize_name(said["Name"]),
            version=said["Version"],
            summary=said.get("Summary", ""),
            licence=_licence(said),
            needs=_needs(said, markers),
            libraries=tuple(_file(wheel, name) for name in names if ".libs/" in name and name[-1] != "/"),
            models=tuple(
                _model(wheel, name) for name in names if name.endswith("/manifest.json") and _MODELS in name
            ),
        )


def lacking(wheels: Sequence[Wheel]) -> list[str]:
    """Name what these wheels need and is not among them."""
    there = {wheel.name for wheel in wheels}
    return sorted({name for wheel in wheels for name in wheel.needs} - there)


def _licence(said: Message) -> str:
    """The expression of PEP 639, else the old field where it is a name, else the classifiers."""
    if expression := said.get("License-Expression"):
        return str(expression)
    named = str(said.get("License", "")).strip()
    if not named or "\n" in named or len(named) > 60:
        classifiers = said.get_all("Classifier", [])
        ends = [one.rpartition(" :: ")[2] for one in classifiers if one.startswith("License :: ")]
        named = " AND ".join(_LICENCES.get(one, one) for one in ends)
    return _LICENCES.get(named, named)


def _needs(said: Message, markers: Mapping[str, str]) -> tuple[str, ...]:
    wanted = map(Requirement, said.get_all("Requires-Dist", []))
    environment = {**markers, "extra": ""}
    held = (one for one in wanted if one.marker is None or one.marker.evaluate(environment))
    return tuple(sorted({canonicalize_name(one.name) for one in held}))


def _file(wheel: zipfile.ZipFile, name: str) -> File:
    return File(name, hashlib.sha256(wheel.read(name)).hexdigest())


def _model(wheel: zipfile.ZipFile, name: str) -> Model:
    manifest = json.loads(wheel.read(name))
    folder = name.rpartition("/")[0]
    file = _file(wheel, f"{folder}/{manifest['model']}")
    return Model(manifest["name"], manifest["version"], manifest["license"], file)
