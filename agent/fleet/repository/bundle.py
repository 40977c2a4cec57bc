"""A bundle's folder before it is published: refused here is what would fail on a device later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent import manifest as manifests
from agent.bundles.load import inside, read_file
from agent.documents import policy as policies
from agent.errors import ConfigInvalid, ManifestInvalid
from agent.fleet.repository.roles import POLICY
from agent.fleet.repository.tree import checked
from agent.manifest import MANIFEST
from agent.wording import plain

if TYPE_CHECKING:
    from pathlib import Path

    from agent.fleet.repository.repository import Repository
    from agent.manifest import Manifest

_OP = "publish"
_NAMED = 4
"""So many of the files that are left out are told by their names."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that may be published.

    Attributes:
        folder: where it lies.
        content: the manifest's bytes, which the bundle's digest is of.
        manifest: what they say.
    """

    folder: Path
    content: bytes
    manifest: Manifest

    @property
    def title(self) -> str:
        """``name@version``."""
        return f"{self.manifest.name}@{self.manifest.version}"

    @property
    def digest(self) -> str:
        """The SHA-256 of the manifest."""
        return manifests.digest(self.content)

    @property
    def chunks(self) -> int:
        """In how many chunks its files travel."""
        return sum(len(one.hashes) for one in self.manifest.files)

    def facts(self) -> dict[str, str | int | list[str]]:
        """Say for programs what it is."""
        return {
            "name": self.manifest.name,
            "version": self.manifest.version,
            "digest": self.digest,
            "bytes": self.manifest.size,
            "chunks": self.chunks,
            "left_out": self.left_out,
        }

    @property
    def left_out(self) -> list[str]:
        """Files in the folder that the manifest does not list: they are not published."""
        listed = {MANIFEST, *(one.path for one in self.manifest.files)}
        here = (one.relative_to(self.folder).as_posix() for one in self.folder.rglob("*") if one.is_file())
        return sorted(one for one in here if one not in listed)


def read(folder: Path, *, allow_float: bool, allow_unproven: bool) -> Bundle:
    """Read a bundle, and check all that can be checked without the repository.

    Args:
        folder: the bundle's.
        allow_float: take a model that computes in floating point.
        allow_unproven: take one that no golden input proves.

    Raises:
        ManifestInvalid: the manifest is none, or a file is not what it says.
    """
    if not folder.is_dir():
        raise ManifestInvalid(_OP, str(folder), "there is no such folder", "Make one with: edgectl pack")
    content = read_file(folder / MANIFEST, manifests.MAX_BYTES, ManifestInvalid, _OP)
    manifest = manifests.parse(content, str(folder / MANIFEST))
    title = f"{manifest.name}@{manifest.version}"
    if manifest.model in manifest.variants.values():
        hint = "Pack it with the model that any CPU runs as its model, and this one as a variant"
        raise ManifestInvalid(_OP, title, "a variant is its model, too: it has no CPU twin", hint)
    if not (manifest.quantized or allow_float):
        hint = "Quantize it with: edgectl quantize. Or give --allow-float"
        raise ManifestInvalid(_OP, title, "the model is not quantized", hint)
    if not (manifest.golden or allow_unproven):
        hint = "Pack it with a golden input, or give --allow-unproven"
        raise ManifestInvalid(_OP, title, "no golden input proves it on a device", hint)
    for entry in manifest.files:
        for _ in checked(inside(folder, entry.path), entry):
            """Each piece is compared as it is read."""
    return Bundle(folder, content, manifest)


def add(repository: Repository, bundle: Bundle) -> bool:
    """Put a bundle into the repository; give whether it was not there already. ``commit`` signs it.

    Raises:
        ManifestInvalid: another bundle of this name and version is there, or the same file in other chunks.
        BundleRefused: the fleet's policy forbids it.
        OSError: the disk refuses.
    """
    manifest = bundle.manifest
    known = repository.bundles().get((manifest.name, manifest.version))
    if known is not None and known.hashes["sha256"] == bundle.digest:
        return False
    if known is not None:
        problem = "another bundle of this name and version is published, and versions never change"
        raise ManifestInvalid(_OP, bundle.title, problem, "Give it another version")
    if (document := repository.document(POLICY)) is not None:
        policies.decode(document).check(manifest)
    _check_cuts(repository, bundle)
    for entry in manifest.files:
        repository.tree.put_file(inside(bundle.folder, entry.path), entry)
    cuts = {entry.sha256: entry.chunk_size for entry in manifest.files}
    repository.add_bundle(manifest.name, manifest.version, bundle.content, cuts)
    return True


def left_out_in_words(bundle: Bundle) -> str:
    """Say which files of the folder are not published; their names may hold anything."""
    names, more = bundle.left_out[:_NAMED], len(bundle.left_out) - _NAMED
    told = ", ".join(plain(one, 60) for one in names) + (f" and {more} more" if more > 0 else "")
    return f"left out, since its manifest does not list them: {told}"


def split(title: str) -> tuple[str, str]:
    """Read ``NAME@VERSION``.

    Raises:
        ConfigInvalid: it is not of this form.
    """
    name, _, version = title.partition("@")
    if not name or not version:
        raise ConfigInvalid("read", repr(title), "it is no NAME@VERSION", "Give it as shapes@1.0.0")
    return name, version


def _check_cuts(repository: Repository, bundle: Bundle) -> None:
    """A chunk's address is the file's hash and a number, so there is one size of chunks for a file."""
    cuts = dict(repository.cuts)
    for entry in bundle.manifest.files:
        before = cuts.setdefault(entry.sha256, entry.chunk_size)
        if before != entry.chunk_size and min(before, entry.chunk_size) < entry.size:
            problem = (
                f"{entry.path} is published in chunks of {before} bytes, and here has {entry.chunk_size}"
            )
            raise ManifestInvalid(_OP, bundle.title, problem, f"Pack it with: --chunk {before}")
