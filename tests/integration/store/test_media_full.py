"""Snapshots and clips on a disk that is full: they are the first to go, and results win."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulators.namespaces import namespaces_needed, run

if TYPE_CHECKING:
    from pathlib import Path

MADE = """
from agent.events import counters
from agent.store.media import listed
from tests.simulators.media_made import jpeg, medium

def keep(n, size):
    assert running.store.keep(medium(jpeg(n, size)))
    while len(listed(folder)) + counters["media.failed"] + counters["media.evicted"] < n:
        time.sleep(0.005)
"""


@pytest.fixture(scope="module")
def _namespaces(tmp_path_factory: pytest.TempPathFactory) -> None:
    namespaces_needed(tmp_path_factory.mktemp("namespace"))


@pytest.mark.usefixtures("_namespaces")
def test_on_a_full_disk_media_go_and_every_result_is_committed(tmp_path: Path) -> None:
    program = """
mount("size=16m")
running = Running(ballast_bytes=0, max_bytes=4 << 20)
for n in range(1, 7):
    keep(n, 1 << 20)
print(len(listed(folder)), counters["media.failed"])
fill()
running.put(2000)
while running.store.pending:
    time.sleep(0.01)
print(len(listed(folder)) < 6, counters["media.evicted"] > 0, running.store.status().streams["result"].lost)
print(running.store.refusing, counters["store.failed"])
print(running.store.close(10), [p.name for p in (folder / "media").iterdir() if p.name.startswith(".")])
running = Running()
print(running.drained() == list(range(1, 2001)))
running.store.close(10)
"""
    said = run(MADE + program, tmp_path, namespace=True).splitlines()
    assert said == ["6 0", "True True 0", "False 0", "True []", "True"]


@pytest.mark.usefixtures("_namespaces")
def test_what_is_free_is_left_for_results(tmp_path: Path) -> None:
    program = """
import os
mount("size=16m")
running = Running(ballast_bytes=0)
for n in range(1, 4):
    keep(n, 1 << 20)
free = os.statvfs(folder)
(folder / "filler").write_bytes(bytes(free.f_bavail * free.f_frsize - (5 << 19)))  # 2.5 MiB are left
keep(4, 1 << 20)
print(len(listed(folder)), counters["media.failed"], counters["media.evicted"])
running.put(2000)
while running.store.pending:
    time.sleep(0.01)
print(len(listed(folder)), running.store.refusing, running.store.status().streams["result"].lost)
(folder / "filler").unlink()
keep(5, 1 << 20)
print(len(listed(folder)), running.store.close(10))
"""
    said = run(MADE + program, tmp_path, namespace=True).splitlines()
    assert said == ["3 1 0", "3 False 0", "4 True"]
