"""Policy: which models a fleet's devices may run; the update metadata brings it, as ``fleet/policy.json``.

A refusal names its rule. Without a policy any model may run that the update metadata vouches for.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from agent.documents.base import Document, parse, read
from agent.errors import BundleRefused
from agent.manifest import Name, Version

if TYPE_CHECKING:
    from agent.manifest import Manifest

TARGET = "fleet/policy.json"
MAX_BYTES = 32 << 10
_Pattern = Annotated[str, Field(min_length=1, max_length=100)]


class Policy(Document):
    """What is allowed. None allows all.

    ``names`` holds shell patterns of models' names, ``licenses`` licences word for word, ``min_versions`` the
    lowest version of a model by its name, ``delegates`` what models may run on: results of others are told
    apart as not aligned.
    """

    v: Literal[1] = 1
    names: Annotated[tuple[_Pattern, ...], Field(max_length=256)] | None = None
    licenses: Annotated[tuple[_Pattern, ...], Field(max_length=64)] | None = None
    min_versions: dict[Name, Version] = Field(default={}, max_length=256)
    quantized_only: bool = False
    delegates: Annotated[tuple[_Pattern, ...], Field(max_length=32)] | None = None

    def check_name(self, name: str, version: str) -> None:
        """Refuse by what is known before anything is fetched.

        Raises:
            BundleRefused: with ``rule``.
        """
        if self.names is not None and not any(fnmatchcase(name, one) for one in self.names):
            raise _refused("names", f"{name}@{version}", "no name that is allowed")
        lowest = self.min_versions.get(name)
        if lowest is not None and version_key(version) < version_key(lowest):
            raise _refused("min_versions", f"{name}@{version}", f"{lowest} is the lowest that is allowed")

    def check(self, manifest: Manifest) -> None:
        """Refuse by what the bundle's manifest says.

        Raises:
            BundleRefused: with ``rule``.
        """
        self.check_name(manifest.name, manifest.version)
        subject = f"{manifest.name}@{manifest.version}"
        if self.licenses is not None and manifest.license not in self.licenses:
            raise _refused("licenses", subject, f"its licence {manifest.license!r} is not allowed")
        if self.quantized_only and not manifest.quantized:
            raise _refused("quantized_only", subject, "it is not quantized")


def version_key(version: str) -> tuple[tuple[int, int, str], ...]:
    """Order versions: by their numbers, pre-releases before their release, and builds of one after it.

    ``1.10`` is above ``1.9``, ``1.0`` is below ``1.0.0``, ``1.0-rc1`` below ``1.0``, and ``1.0+2`` above it:
    letters begin a pre-release, a "+" begins a build. A "v" in front says nothing.
    """
    release, _, build = version.partition("+")
    if re.match(r"[vV][0-9]", release):
        release = release[1:]
    return (*_parts(release), (0, 0, ""), *_parts(build))


def _parts(text: str) -> list[tuple[int, int, str]]:
    parts = re.findall(r"[0-9]+|[A-Za-z]+", text)
    return [(1, int(one), "") if one.isdigit() else (-1, 0, one.lower()) for one in parts]


def decode(document: bytes) -> Policy:
    """Read the document, whose bytes are proved already.

    Raises:
        MessageInvalid: it is none.
    """
    return read(Policy, document, "policy")


def written(text: bytes) -> Policy:
    """Read a policy as an operator writes it.

    Raises:
        MessageInvalid: it is none.
    """
    return parse(Policy, text, "policy")


def _refused(rule: str, subject: str, problem: str) -> BundleRefused:
    hint = "Change the fleet's policy, or deploy another model"
    return BundleRefused("take model", subject, f"policy.{rule}: {problem}", hint, rule=f"policy.{rule}")
