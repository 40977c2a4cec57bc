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

from agent.licences import licence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from email.message import Message
    from pathlib import Path

_MODELS = "agent/_data/models/"


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
            licence=licence(said),
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
