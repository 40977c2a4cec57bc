"""Wheel, sdist, the .deb for each Debian release and machine, and the SBOMs: ``python -m release.packages``.

Packages are put together, not run: each is built on any machine, for any other. What others wrote comes as
wheels, by the lock, and is kept in ``build/release``. The same checkout gives the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from release import sbom
from release.deb.build import package
from release.source import HERE, ReleaseFailed, Source
from release.target import DEBIANS, MACHINES, targets
from release.wheels import build

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_EPILOG = """\
examples:
  python -m release.packages                                all of it, into dist
  python -m release.packages --only deb --arch arm64 --python 3.11
  python -m release.packages --only deb --version-suffix .post1 --compression zstd

exit codes: 0 done, 1 failed, 2 usage"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="release.packages",
        description="Build the agent's wheel, sdist and Debian packages.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--arch", action="append", choices=MACHINES, help="a machine of .debs; all when left out"
    )
    parser.add_argument(
        "--python", action="append", choices=DEBIANS, help="a Python of .debs; all when left out"
    )
    parser.add_argument(
        "--only", choices=("wheel", "sdist", "deb"), help="one kind; all, and SBOMs, when left out"
    )
    parser.add_argument("--out", type=Path, default=HERE / "dist", metavar="DIR", help="default dist")
    parser.add_argument(
        "--source", type=Path, default=HERE, metavar="DIR", help="another checkout, of an older release"
    )
    parser.add_argument(
        "--version-suffix", default="", metavar="TEXT", help="added to the version: .post1, for tests"
    )
    parser.add_argument(
        "--compression", choices=("xz", "zstd", "none"), default="xz", help="of .debs; default xz"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def made(parsed: argparse.Namespace, say: Callable[[str], None]) -> Iterator[Path]:
    """Build what is wanted, one after the other.

    Raises:
        ReleaseFailed: one could not be made.
    """
    source = Source(parsed.source.resolve(), parsed.version_suffix)
    out = parsed.out
    if parsed.only != "deb":
        say(f"building {parsed.only or 'sdist and wheel'} of {source.version}")
        yield from build(source, out, only=parsed.only or "")
    if parsed.only in {"wheel", "sdist"}:
        return
    with tempfile.TemporaryDirectory() as scratch:
        own = build(source, Path(scratch), only="wheel")[0]
        for target in targets(parsed.arch, parsed.python):
            say(f"building the package for {target.name}")
            yield package(source, target, own, out, parsed.compression)
            if not parsed.only:
                yield sbom.put(source, target, own, out)


def main(arguments: list[str] | None = None) -> int:
    """Build; give the exit code."""
    parsed = _parser().parse_args(arguments)
    found = []
    try:
        for path in made(parsed, lambda words: print(words, file=sys.stderr)):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            found.append({"file": str(path), "bytes": path.stat().st_size, "sha256": digest})
            if not parsed.json:
                print(f"{digest}  {path.name}  {path.stat().st_size:,} bytes")
    except ReleaseFailed as error:
        print(error, file=sys.stderr)
        return error.exit_code
    if parsed.json:
        print(json.dumps({"made": found}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
