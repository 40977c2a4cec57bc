"""What stands where in a package: the environment in /opt/edge-agent, units, and documents."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from release.deb import control
from release.deb.places import UNITS, place
from release.source import Source, run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from release.contents import Wheel
    from release.target import Target

FILES = Path(__file__).parent / "files"
HOME = "opt/edge-agent"
DOCUMENTS = "usr/share/doc/edge-agent"
_PROGRAM = f"""\
#!/{HOME}/bin/python
import sys

from agent.cli.main import main

sys.exit(main())
"""


def environment(tree: Path, target: Target, wheels: Sequence[Path], epoch: int) -> None:
    """Lay out a virtual environment of Debian's Python, without running that one: see Python's PEP 405.

    Args:
        tree: the root.
        target: whose Python it is.
        wheels: the files that are installed into it.
        epoch: for what pip writes.

    Raises:
        ReleaseFailed: pip could not install one.
    """
    home, python = tree / HOME, f"python{target.python}"
    packages = home / "lib" / python / "site-packages"
    packages.mkdir(parents=True)
    (home / "pyvenv.cfg").write_text(
        f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {target.python}\n"
    )
    programs = home / "bin"
    programs.mkdir()
    for name in ("python", "python3", python):
        (programs / name).symlink_to(f"/usr/bin/{python}")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet"]
    # Their downloading has asked for the target's Python; here pip would ask for its own.
    command += ["--no-deps", "--no-index", "--no-compile", "--ignore-requires-python"]
    command += ["--target", str(packages), *target.pip]
    run([*command, *map(str, wheels)], f"environment for {target.name}", epoch)
    shutil.rmtree(packages / "bin")  # scripts that name the Python of this machine
    for told in packages.glob("*.dist-info/direct_url.json"):
        told.unlink()  # where the wheel was on this machine
    for record in packages.glob("*.dist-info/RECORD"):
        lines = record.read_text().splitlines(keepends=True)
        record.write_text(
            "".join(line for line in lines if not line.startswith("../../bin/") and "direct_url" not in line)
        )
    _write(programs / "edge-agent", _PROGRAM.encode(), 0o755)
    link = tree / "usr" / "bin" / "edge-agent"
    link.parent.mkdir(parents=True)
    link.symlink_to(f"/{HOME}/bin/edge-agent")


def system(tree: Path, source: Source) -> None:
    """Put the files of ``systemd/`` where their programs look, and what tells a release from another."""
    for file in sorted((source.root / "systemd").iterdir()):
        if where := place(file.name):
            _write(tree / where, file.read_bytes())
    _write(tree / UNITS / "edge-agent.service.d" / "package.conf", (FILES / "edge-agent.conf").read_bytes())
    _write(tree / "usr/share/edge-agent/data-folder", f"{source.data_folder}\n".encode())
    (tree / "etc" / "edge-agent").mkdir(parents=True)


def documents(tree: Path, source: Source, target: Target, wheels: Sequence[Wheel], sbom: bytes) -> None:
    """Put the documents where Debian's policy wants them."""
    folder = tree / DOCUMENTS
    _write(folder / "changelog.gz", control.packed((source.root / "CHANGELOG.md").read_bytes()))
    _write(folder / "changelog.Debian.gz", control.changelog(source, target))
    _write(folder / "copyright", control.copyright_of(wheels).encode())
    _write(folder / "sbom.cdx.json", sbom)
    for name in ("README.md", "SECURITY.md"):
        _write(folder / name, (source.root / name).read_bytes())
    for page in sorted((source.root / "docs").rglob("*.md")):
        _write(folder / "docs" / page.relative_to(source.root / "docs"), page.read_bytes())
    _write(
        tree / "usr/share/lintian/overrides/edge-agent", (FILES / "edge-agent.lintian-overrides").read_bytes()
    )


def settle(tree: Path, epoch: int) -> int:
    """Give everything the rights and the time that it has in each build; say how much it is, in KiB."""
    size = 0
    for folder, folders, files in os.walk(tree):
        for name in [*folders, *files]:
            path = Path(folder, name)
            os.utime(path, (epoch, epoch), follow_symlinks=False)
            if path.is_symlink():
                continue
            runs = path.is_dir() or path.parent == tree / HOME / "bin" or path.parent.name == "DEBIAN"
            path.chmod(0o755 if runs else 0o644)
            size += 0 if path.is_dir() else -(-path.stat().st_size // 1024)
    tree.chmod(0o755)
    return size


def _write(path: Path, data: bytes, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)
