"""Runs the tests marked ``cameras``, a module's in one process, in which the simulated V4L2 driver is loaded.

LD_PRELOAD works only from a process's start. The tests are collected and reported as any others are; what
their functions do is done in the other process, and its verdict counts.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from tests.simulators.cameras import ROOT, compile_shim

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK = "cameras"
_INSIDE = "EDGE_AGENT_TESTS_PRELOADED"
_TIMEOUT_S = 280  # below that of a test
_verdicts = pytest.StashKey[dict[Path, dict[tuple[str, str], str]]]()


def inside() -> bool:
    """Whether this is the process in which the driver is loaded."""
    return _INSIDE in os.environ


def missing() -> str:
    """Say what to do so that the simulator can be built; "" when it can."""
    return "" if shutil.which("cc") else "install a C compiler (Debian: apt-get install gcc libc6-dev)"


def judge(item: pytest.Item) -> None:
    """Fail or skip as the test did over there; run all of its module when the first one is asked for."""
    known = item.session.stash.setdefault(_verdicts, {})
    if item.path not in known:
        marked = [one for one in item.session.items if one.path == item.path and one.get_closest_marker(MARK)]
        known[item.path] = dict(_run(marked))
    verdict = known[item.path].get(_key(item), "it was not run in the process with the simulated cameras")
    if verdict.startswith("skipped: "):
        pytest.skip(verdict)
    if verdict:
        pytest.fail(verdict, pytrace=False)


def _key(item: pytest.Item) -> tuple[str, str]:
    """The names by which a JUnit report knows it."""
    path = item.nodeid.partition("::")[0]
    return path.removesuffix(".py").replace("/", "."), item.name


def _run(items: list[pytest.Item]) -> Iterator[tuple[tuple[str, str], str]]:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        environment = {
            **os.environ,
            _INSIDE: "1",
            "LD_PRELOAD": str(compile_shim(Path(folder))),
            ROOT: folder,
        }
        options = ["-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
        command = [sys.executable, "-m", "pytest", *options, *(item.nodeid for item in items)]
        done = subprocess.run(
            command,
            cwd=items[0].config.rootpath,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
        if not report.exists():
            pytest.fail(f"the process with the simulated cameras failed:\n{done.stdout}\n{done.stderr}")
        for case in ET.parse(report).iter("testcase"):  # noqa: S314 - pytest has just written it
            bad = [f"{one.tag}: {one.get('message')}\n{one.text or ''}" for one in case]
            yield (case.get("classname", ""), case.get("name", "")), "\n".join(bad)
