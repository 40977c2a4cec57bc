"""docs/operations.md holds: its small fleet is made, rolled out to and broken by the commands of the page."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.demo.broker import _free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
_TITLE = "## A small fleet, in less than 20 commands\n"
SECTION = (ROOT / "docs/operations.md").read_text().partition(_TITLE)[2].partition("\n## ")[0]
BLOCKS = re.findall(r"^```(sh|text)\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)
SHELL = [text for kind, text in BLOCKS if kind == "sh"]
_CODES = {"shapes@1.1.0": 4}
"""Exit codes of blocks that do not end well, by a word of theirs."""
_LIMIT_S = 150


@pytest.fixture
def empty() -> Iterator[Path]:
    """An empty folder beside ``models``; its path is short, since sockets lie below it."""
    with tempfile.TemporaryDirectory(prefix="page") as made:
        (Path(made) / "models").symlink_to(ROOT / "models")
        (Path(made) / "fleet").mkdir()
        yield Path(made) / "fleet"


def commands(block: str) -> list[str]:
    """Give the commands of a block; a text that is given to one belongs to it."""
    without = re.sub(r"<<'(\w+)'\n.*?^\1$", "", block, flags=re.MULTILINE | re.DOTALL)
    return [one for line in without.splitlines() for one in line.split(" && ") if one.strip()]


def script(port: int) -> str:
    """Give all blocks as one script that says after each how it ended, and leaves nothing that runs."""
    parts = [f'{block}echo "== $?"\n' for block in SHELL]
    text = "".join(parts).replace("--broker localhost", f"--broker localhost --port {port}")
    return f"trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n{text}"


def missing(block: str, said: str) -> list[str]:
    """Give the lines of the page that were not said; ``...`` is anything, and any room is one space."""
    told = "\n".join(" ".join(line.split()) for line in said.splitlines())
    wanted = {line: re.escape(" ".join(line.split())).replace(r"\.\.\.", ".*") for line in block.splitlines()}
    return [line for line, regex in wanted.items() if not re.search(f"^{regex}$", told, re.MULTILINE)]


def test_a_small_fleet_takes_less_than_twenty_commands() -> None:
    assert 10 < len([one for block in SHELL for one in commands(block)]) < 20


@pytest.mark.skipif(not shutil.which("mosquitto"), reason="mosquitto is not installed")
def test_the_small_fleets_commands_do_what_the_page_says(empty: Path) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script(_free_port())],
        cwd=empty,
        env={**os.environ, "PATH": path, "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_LIMIT_S,
        check=False,
    )
    said = re.split(r"^== (\d+)\n", done.stdout, flags=re.MULTILINE)
    logs = "".join(f"\n{one.name}: {one.read_text()[-1500:]}" for one in sorted(empty.glob("*.log")))
    wrong: list[str] = []
    number = -1
    for kind, text in BLOCKS:
        if kind == "text":
            wrong += missing(text, said[2 * number])
            continue
        number += 1
        code = next((code for word, code in _CODES.items() if word in text), 0)
        assert int(said[2 * number + 1]) == code, f"{text}{done.stdout}{logs}"
    assert not wrong, f"{wrong}\n{done.stdout}{logs}"
    assert not [one for one in empty.glob("keys/enrolled/*/data/lock") if alive(one)]


def alive(lock: Path) -> bool:
    """Whether the agent of a data folder still runs."""
    return Path(f"/proc/{lock.read_text().strip() or 0}").exists()
