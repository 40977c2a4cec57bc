"""What dpkg wants to know of a package, and the files below /usr/share/doc that policy asks for.

Source of the formats: deb-control(5), and Debian Policy 12.5 (copyright) and 12.7 (changelogs).
"""

from __future__ import annotations

import gzip
import hashlib
import textwrap
from email.utils import formatdate
from typing import TYPE_CHECKING

from release.source import Source, debian_version
from release.target import Target, glibc

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from release.contents import Wheel

MAINTAINER = "Edge Agent maintainers <maintainers@edge-agent.invalid>"
DESCRIPTION = """\
runs quantized TFLite models on cameras and sensors
 An agent for boards in the field: it runs signed TFLite models on what
 cameras and sensors see, keeps every result until it is delivered, and
 syncs over MQTT.
 .
 The package brings an environment of its own in /opt/edge-agent, with all
 Python packages that the agent needs, and the service edge-agent."""

_COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: edge-inference-agent
Comment: Each package's own texts stand in its folder NAME-VERSION.dist-info; what
 else its wheel brings is listed in sbom.cdx.json."""


def version(source: Source, target: Target) -> str:
    """Give the package's version."""
    return debian_version(source.version, target.revision)


def control(source: Source, target: Target, wheels: Sequence[Wheel], size_kib: int) -> str:
    """Write the control file.

    Args:
        source: the release.
        target: what the package is for.
        wheels: what it brings: how old glibc may be hangs on them.
        size_kib: what it takes on the disk.
    """
    least = glibc(wheel.file.path for wheel in wheels)
    # What the wheels' native libraries link to, and do not bring.
    needs = [
        f"python{target.python}",
        f"libc6 (>= {least})",
        "libgcc-s1",
        "libstdc++6",
        "zlib1g",
        "ca-certificates",
    ]
    lines = [
        "Package: edge-agent",
        f"Version: {version(source, target)}",
        f"Architecture: {target.arch}",
        f"Maintainer: {MAINTAINER}",
        f"Installed-Size: {size_kib}",
        f"Depends: {', '.join(needs)}",
        "Section: misc",
        "Priority: optional",
        f"Edge-Agent-Data-Folder: {source.data_folder}",
        f"Description: {DESCRIPTION}",
    ]
    return "\n".join(lines) + "\n"


def changelog(source: Source, target: Target) -> bytes:
    """Write Debian's changelog, packed; what users notice stands in the agent's own, beside it."""
    text = f"""\
edge-agent ({version(source, target)}) stable; urgency=medium

  * Release {source.version}: see changelog.gz.

 -- {MAINTAINER}  {formatdate(source.epoch)}
"""
    return packed(text.encode())


def packed(data: bytes) -> bytes:
    """Pack, the same bytes at each time."""
    return gzip.compress(data, 9, mtime=0)


def copyright_of(wheels: Sequence[Wheel]) -> str:
    """Write the licences of all that the package brings, by what each wheel says.

    Args:
        wheels: the agent's own first.
    """
    agent, *others = wheels
    place = "opt/edge-agent/lib/python*/site-packages"
    parts = [
        _COPYRIGHT,
        f"Files: *\nCopyright: the Edge Agent authors\nLicense: {agent.licence}",
    ]
    for wheel in others:
        folder = f"{wheel.name.replace('-', '_')}-{wheel.version}.dist-info"
        comment = textwrap.shorten(wheel.summary, 100) or "no summary"
        parts.append(
            f"Files: {place}/{folder}/*\nCopyright: the authors of {wheel.name}\n"
            f"License: {wheel.licence or 'see its folder'}\nComment: {comment}"
        )
    parts.append(
        f"License: {agent.licence}\n On Debian systems its text is in /usr/share/common-licenses/Apache-2.0."
    )
    return "\n\n".join(parts) + "\n"


def checksums(tree: Path) -> str:
    """Write md5sums: what `dpkg --verify` compares the installed files with."""
    lines = []
    for path in sorted(tree.rglob("*")):
        inside = path.relative_to(tree).as_posix()
        if path.is_file() and not path.is_symlink() and not inside.startswith("DEBIAN/"):
            lines.append(f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  {inside}\n")
    return "".join(lines)
