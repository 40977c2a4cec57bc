"""docs/tasks.md holds: its commands run as they stand, draw what they say, and no task is missing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/tasks.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
_LARGEST = 80_000
"""Bytes of a picture of the page."""


def test_each_task_has_a_section_that_links_its_options() -> None:
    tasks = {path.stem for path in (ROOT / "agent/decoders").glob("[a-z]*.py")}
    sections = re.findall(r"^## (\w+)\n(.*?)(?=^## )", PAGE, re.MULTILINE | re.DOTALL)
    linked = {title.lower() for title, text in sections if f"(configuration.md#{title.lower()})" in text}
    assert tasks
    assert tasks <= linked


def test_its_pictures_are_there_and_small() -> None:
    pictures = re.findall(r"!\[.+?\]\((.+?)\)", PAGE)
    assert len(pictures) >= 10
    for name in pictures:
        assert 0 < (ROOT / "docs" / name).stat().st_size < _LARGEST, name


def run(block: str, folder: Path) -> str:
    """Run a block of commands; give what went wrong, or ""."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    shell = ["bash", "-e", "-o", "pipefail", "-c", block]
    done = subprocess.run(
        shell, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    drawn = [folder / name for name in re.findall(r"--draw (\S+)", block)]
    missing = [str(one) for one in drawn if not any(one.glob("*.png"))]
    wrong = done.returncode or missing
    return f"{block}{done.returncode} {done.stdout[-500:]}{done.stderr} {missing}" if wrong else ""


@pytest.mark.shared
def test_its_commands_run_and_write_the_pictures(shared: Path, tmp_path: Path) -> None:
    for path in ((shared / "models"), (shared / "models/media")):
        for file in filter(Path.is_file, path.iterdir()):
            (tmp_path / file.name).symlink_to(file)
    (tmp_path / "models").symlink_to(ROOT / "models")
    first, *others = BLOCKS
    gallery, *others = sorted(others, key=lambda block: "gallery.txt\n" not in block)
    assert len(others) > 10
    assert not run(first, tmp_path)
    assert not run(gallery, tmp_path)
    with ThreadPoolExecutor(2) as pool:
        wrong = [said for said in pool.map(lambda block: run(block, tmp_path), others) if said]
    assert not wrong, "\n".join(wrong)
