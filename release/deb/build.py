"""A package from its parts, by dpkg-deb: the same checkout gives the same bytes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from agent.installing.plan import RULED
from release import contents, sbom
from release.deb import control, tree
from release.source import ReleaseFailed, Source, run, tool
from release.wheels import gathered

if TYPE_CHECKING:
    from release.target import Target

SCRIPTS = Path(__file__).parent / "scripts"


def package(source: Source, target: Target, wheel: Path, out: Path, compression: str) -> Path:
    """Build a package, on any machine.

    Args:
        source: the release.
        target: what it is for.
        wheel: the agent's own.
        out: the folder that it goes to.
        compression: "xz", or "zstd" and "none", which are quicker.

    Raises:
        ReleaseFailed: dpkg-deb is missing, or something of it could not be made.
    """
    dpkg_deb = tool("dpkg-deb", "apt-get install dpkg (on a Debian or Ubuntu)")
    files = [wheel, *gathered(target, source.lock)]
    wheels = [contents.read(path, target.markers) for path in files]
    if lacking := contents.lacking(wheels):
        raise ReleaseFailed("gather", target.name, f"the lock has no {', '.join(lacking)}", "Run: make lock")
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch, "root")
        root.mkdir()
        tree.environment(root, target, files, source.epoch)
        tree.system(root, source)
        tree.documents(root, source, target, wheels, sbom.written(sbom.bom(source, target, wheels)))
        _dpkg(root, source, target, wheels)
        tree.settle(root, source.epoch)
        for words in ("control", "md5sums"):
            (root / "DEBIAN" / words).chmod(0o644)
        out.mkdir(parents=True, exist_ok=True)
        made = out / f"edge-agent_{control.version(source, target)}_{target.arch}.deb"
        run(
            [dpkg_deb, "--root-owner-group", f"-Z{compression}", "--build", str(root), str(made)],
            made.name,
            source.epoch,
        )
    return made


def _dpkg(root: Path, source: Source, target: Target, wheels: list[contents.Wheel]) -> None:
    """Write what dpkg reads and runs."""
    size = tree.settle(root, source.epoch)
    folder = root / "DEBIAN"
    folder.mkdir()
    (folder / "md5sums").write_text(control.checksums(root))
    (folder / "control").write_text(control.control(source, target, wheels, size))
    filled = {"DATA_FOLDER": str(source.data_folder), "VERSION": source.version, "RULED": " ".join(RULED)}
    for script in SCRIPTS.iterdir():
        text = script.read_text()
        for name, value in filled.items():
            text = text.replace(f"@{name}@", value)
        (folder / script.name).write_text(text)
