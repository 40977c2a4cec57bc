"""A model's card: what its bundle says of it, for people and programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent import manifest as manifests
from agent.bundles.load import read_manifest
from agent.wording import plain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_README, _MOST_README = "README.md", 64 << 10


def card(folder: Path, origin: dict[str, Any]) -> dict[str, Any]:
    """Give all that is known of a bundle.

    Args:
        folder: the bundle's.
        origin: its slot, when it is in one: who asked for it, and when it is tried.

    Raises:
        ManifestInvalid: it is no bundle.
    """
    manifest = read_manifest(folder)
    return {
        "folder": str(folder),
        "digest": manifests.digest((folder / manifests.MANIFEST).read_bytes()),
        "manifest": manifest.model_dump(mode="json", by_alias=True),
        "origin": origin,
        "readme": _readme(folder, manifest),
    }


def _readme(folder: Path, manifest: manifests.Manifest) -> str:
    if _README not in {one.path for one in manifest.files}:
        return ""
    with (folder / _README).open("rb") as file:
        return file.read(_MOST_README).decode(errors="replace")


def lines(card: dict[str, Any]) -> Iterator[str]:
    """Write a card for people."""
    one = card["manifest"]
    yield f"{one['name']}@{one['version']}  {one['task']}  {one['license']}"
    yield _field("digest", card["digest"])
    yield _field("from", _origin(card["origin"]) or card["folder"])
    yield _field(
        "size", f"{sum(file['size'] for file in one['files']) / 1e6:.2f} MB, {len(one['files'])} files"
    )
    yield _field("quantized", "yes" if one["quantized"] else "no")
    for name in ("inputs", "outputs"):
        for tensor in (one["io"] or {}).get(name, ()):
            yield _field(name[:-1], f"{tensor['name']} {tensor['dtype']} {tensor['shape']}")
    yield _field("golden", f"{len(one['golden'])} inputs with their answers")
    budget = {key: value for key, value in one["budget"].items() if value is not None}
    yield _field("budget", ", ".join(f"{key} {value:g}" for key, value in budget.items()) or "none")
    needs = {key: value for key, value in one["requires"].items() if value}
    yield _field("requires", ", ".join(f"{key} {value}" for key, value in needs.items()) or "nothing")
    if one["variants"]:
        yield _field("variants", ", ".join(one["variants"]))
    if card["readme"]:
        yield ""
        yield from (plain(line, 500) for line in card["readme"].splitlines())


def _origin(origin: dict[str, Any]) -> str:
    if not origin:
        return ""
    return f"generation {origin['generation']} of the desired state, {origin['slot']} in {origin['pipeline']}"


def _field(name: str, value: str) -> str:
    return f"  {name:<10} {plain(value, 200)}"
