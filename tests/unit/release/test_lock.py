"""The locks: they fit pyproject.toml, and what does not fit is told."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

from release.lock import PROJECT, Lock, complaints, locks, needed

if TYPE_CHECKING:
    from pathlib import Path

HASH = "--hash=sha256:" + "0" * 64
LOCK = Lock("some.txt", "A test.", (Requirement("numpy>=2"),))


def told(text: str) -> str:
    return "; ".join(complaints(LOCK, text))


@pytest.mark.parametrize("lock", locks(), ids=lambda lock: lock.name)
def test_a_lock_holds_all_that_the_project_wants_everywhere(lock: Lock) -> None:
    assert lock.wanted
    assert list(complaints(lock, lock.path.read_text())) == []


def test_what_is_locked_is_what_the_agent_and_the_collector_depend_on() -> None:
    agent, collector, build = ({one.name for one in lock.wanted} for lock in locks())
    assert {"ai-edge-litert", "numpy", "paho-mqtt", "pyserial"} <= agent
    assert {"paho-mqtt", "psycopg", "typer"} <= collector
    assert not {"numpy", "ai-edge-litert", "opencv-python-headless"} & collector
    assert build == {"hatchling"}


def test_a_new_lower_bound_that_the_lock_misses_is_told(tmp_path: Path) -> None:
    project = tmp_path / "pyproject.toml"
    project.write_text(re.sub(r'"orjson>=[\d.]+"', '"orjson>=99"', PROJECT.read_text()))
    [changed, *_] = locks(project)
    first = next(complaints(changed, changed.path.read_text()))
    assert re.fullmatch(r"holds orjson==\S+ on aarch64 with Python 3.11, and >=99 is wanted", first)


def test_boards_with_armv7l_are_in_no_environment() -> None:
    assert not any(needed(Requirement("tflite-runtime; platform_machine=='armv7l'")))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "holds numpy 0 times on aarch64 with Python 3.11"),
        ("numpy==2.4.6\n", "pins numpy to no release with a hash"),
        (f"numpy>=2 {HASH}\n", "pins numpy to no release with a hash"),
        (f"numpy==1.26.4 {HASH}\n", "holds numpy==1.26.4 on aarch64 with Python 3.11, and >=2 is wanted"),
        (
            f"numpy==2.4.6 ; python_version < '3.13' {HASH}\n",
            "holds numpy 0 times on aarch64 with Python 3.13",
        ),
        (f"numpy==2.4.6 {HASH}\nnumpy==2.5.5 {HASH}\n", "holds numpy 2 times on x86_64 with Python 3.12"),
        ("--index-url https://index.example/simple\n", "names an address"),
        (f"numpy @ https://index.example/numpy.whl {HASH}\n", "names an address"),
    ],
)
def test_what_is_no_such_lock_is_told(text: str, complaint: str) -> None:
    assert complaint in told(text)


def test_releases_that_differ_by_python_are_one_answer_each() -> None:
    older = f"numpy==2.4.6 ; python_version < '3.12' \\\n    {HASH}\n"
    newer = f"numpy==2.5.5 ; python_version >= '3.12' \\\n    {HASH}\n"
    assert told(older + newer) == ""
