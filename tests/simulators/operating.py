"""An operator's folder and bundles, made quickly: the passphrase of these keys costs next to nothing."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

from agent.fleet.repository import begin, bundle, pkcs8, stranger
from agent.fleet.repository.catalog import Local
from agent.fleet.repository.repository import Repository, opened
from agent.manifest import CHUNK_BYTES, MANIFEST, entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

PASSPHRASE = "eight words that nobody guesses"  # noqa: S105 - of the tests


def ask() -> str:
    """Give the passphrase of all keys here."""
    return PASSPHRASE


@contextmanager
def cheap_keys() -> Iterator[None]:
    """Keys that are made meanwhile are opened at once, by whoever tries."""
    with mock.patch.object(pkcs8, "_N", 2):
        yield


def operator(folder: Path, clock: Callable[[], float] | None = None) -> Path:
    """Make a repository that vouches for nothing yet; give the operator's folder."""
    with cheap_keys():
        begin.begin(folder, ask, **({"clock": clock} if clock else {}))
    return folder


def make_bundle(
    folder: Path,
    version: str = "1.0.0",
    files: Mapping[str, bytes] | None = None,
    *,
    chunk: int = CHUNK_BYTES,
    **fields: Any,
) -> Path:
    """Make a bundle's folder; the first of ``files`` is the model, the last its golden input."""
    contents = dict(files or {"model.tflite": b"model " + version.encode(), "golden.npy": b"input"})
    folder.mkdir(parents=True, exist_ok=True)
    for path, content in contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    names = list(contents)
    manifest: dict[str, Any] = {
        "schema": 2,
        "name": "shapes",
        "version": version,
        "task": "classification",
        "license": "Apache-2.0",
        "quantized": True,
        "model": names[0],
        "golden": [{"input": names[-1], "expect": [], "tol": 0.1}],
        "files": [entry(path, content, chunk).model_dump() for path, content in contents.items()],
        **fields,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return folder


def add(repository: Repository, folder: Path) -> bool:
    """Put a bundle into an open repository."""
    return bundle.add(repository, bundle.read(folder, allow_float=False, allow_unproven=False))


def publish(folder: Path, *bundles: Path) -> None:
    """Sign bundles into the repository in ``folder``; nothing is sent."""
    with opened(folder, ask) as repository:
        for one in bundles:
            add(repository, one)
        repository.commit()


def seen(folder: Path, first: bytes | None = None) -> stranger.Seen:
    """What a stranger finds who knows the first root."""
    with opened(folder, ask) as repository:
        root = first or repository.tree.meta("1.root.json").read_bytes()
        return stranger.look(Local(repository), root)


def meta(folder: Path, name: str) -> Path:
    """Where a file of metadata lies."""
    return folder / "tuf/meta" / name
