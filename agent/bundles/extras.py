"""Files beside a model that its decoder needs: the gallery of an embedder, say.

A decoder's module names them: ``FILES`` holds the options whose values are paths. A path that a manifest
gives is of a file of the bundle, listed there and hashed; one that the pipeline's configuration gives is
relative to the configuration file, as a label file's is. A model without a manifest names none.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.bundles.load import check, inside, read_file
from agent.errors import ManifestInvalid, ModelInvalid

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from types import ModuleType

    from agent.bundles.load import LoadedModel

MAX_BYTES = 64 << 20
"""The largest of these files that is read."""


def named(decoder: ModuleType, options: Mapping[str, Any]) -> dict[str, str]:
    """Give the paths that a decoder's options name, by the option's name; "" names no file."""
    wanted: tuple[str, ...] = getattr(decoder, "FILES", ())
    return {name: str(options[name]) for name in wanted if options.get(name)}


def read(model: LoadedModel, paths: Mapping[str, str], own: Collection[str]) -> dict[str, bytes]:
    """Read the files that a decoder's options name.

    Args:
        model: that they belong to.
        paths: by the option's name.
        own: those options that the pipeline's configuration gives, and not the manifest.

    Raises:
        ModelInvalid: a file of the configuration's is missing, no regular file, or too large.
        ManifestInvalid: one of the bundle's is, or it is not listed, or is not the one that was hashed.
    """
    return {
        option: _plain(option, path) if option in own else _bundled(model, option, path)
        for option, path in paths.items()
    }


def _plain(option: str, path: str) -> bytes:
    return read_file(Path(path), MAX_BYTES, ModelInvalid, f"read {option}")


def _bundled(model: LoadedModel, option: str, path: str) -> bytes:
    listed = model.manifest.files if model.manifest else ()
    entry = next((one for one in listed if one.path == path), None)
    if entry is None or model.folder is None:
        problem = f"its option {option} names {path[:100]}, which is no file of its bundle"
        raise ManifestInvalid("load model", model.name, problem, "Pack it again, with that file")
    found = inside(model.folder, entry.path)
    data = read_file(found, MAX_BYTES, ManifestInvalid, f"read {option}")
    check(found, data, entry)
    return data
