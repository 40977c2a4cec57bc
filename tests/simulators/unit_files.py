"""The units of this repository, and what systemd says of them where it does not run."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

SYSTEMD = Path(__file__).resolve().parents[2] / "systemd"


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze; skip where there is none that reads files offline."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("needs systemd-analyze: install systemd")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.split()[1].split(".")[0].split("~")[0]) < 250:
        pytest.skip("needs systemd-analyze 250 or later, which reads unit files offline")
    command = [program, "--no-pager", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def complaints(unit: Path) -> str:
    """Give what systemd has to say against a unit and its drop-ins."""
    done = analyze("verify", "--man=no", "--recursive-errors=no", unit)
    return f"{done.stderr}exit code {done.returncode}" if done.stderr or done.returncode else ""


def exposure(unit: Path) -> int:
    """Give what `systemd-analyze security` finds, in tenths."""
    told = analyze("security", "--offline=true", unit).stdout
    found = re.search(r"Overall exposure level for \S+ (\d+)\.(\d)", told)
    assert found, told
    return int(found[1]) * 10 + int(found[2])


def runnable(name: str, folder: Path) -> Path:
    """Copy a unit into a folder, with a program that exists on this machine; give the copy."""
    text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", (SYSTEMD / name).read_text(), flags=re.MULTILINE)
    copy = folder / name
    copy.write_text(text)
    return copy


def settings(name: str) -> dict[str, list[str]]:
    """Give what stands in the section [Service] of a unit or drop-in, each key with all its values."""
    text = (SYSTEMD / name).read_text()
    found: dict[str, list[str]] = {}
    for line in text[text.index("[Service]") :].partition("[Install]")[0].splitlines():
        if "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            found.setdefault(key, []).append(value)
    return found
