"""Further releases of the agent that a file system has, as wheels that need nothing but what is there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.simulators.released import pack

if TYPE_CHECKING:
    from pathlib import Path

_SITE = "lib/python3.11/site-packages"
_PTH = "of_the_release_before.pth"
_BROKEN = """

def main(arguments):
    raise SystemExit("check: this release suits no device")
"""


def release(environment: Path, inside: str, folder: Path, version: str, *, broken: bool = False) -> Path:
    """Make one.

    Args:
        environment: the virtual environment that the agent is in.
        inside: its path on the machine that installs: the release takes other packages from there.
        folder: where the wheel goes.
        version: what the release is called, and calls itself.
        broken: whether its `edge-agent check` finds fault with everything.
    """
    site = environment / _SITE
    [info] = site.glob("edge_inference_agent-*.dist-info")
    begin = f"edge_inference_agent-{version}.dist-info"
    metadata = re.sub(r"(?m)^Version: .*$", f"Version: {version}", (info / "METADATA").read_text())
    files = {
        str(path.relative_to(site)): path.read_bytes()
        for path in sorted((site / "agent").rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    }
    said = re.sub(
        rb'__version__ = "[^"]*"', f'__version__ = "{version}"'.encode(), files["agent/__init__.py"]
    )
    files |= {
        "agent/__init__.py": said,
        _PTH: f"{inside}/{_SITE}\n".encode(),
        f"{begin}/METADATA": re.sub(r"(?m)^Requires-Dist: .*\n", "", metadata).encode(),
        f"{begin}/WHEEL": (info / "WHEEL").read_bytes(),
        f"{begin}/entry_points.txt": (info / "entry_points.txt").read_bytes(),
    }
    if broken:
        files["agent/cli/check.py"] += _BROKEN.encode()
    return pack(folder, version, files)
