"""What a program gives back once it has begun."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from agent.processes import memory

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

# A library that its user closes after all: what is mapped in its place must not be given back.
UNLOADED = """
import _ctypes, ctypes, shutil, sys
import _sqlite3
from agent.processes import memory

copy = shutil.copy(_sqlite3.__file__, sys.argv[1])
library = ctypes.CDLL(copy)
ranges = memory.settle()
_ctypes.dlclose(library._handle)
mapped = [line.split()[0] for line in open("/proc/self/maps", errors="surrogateescape") if copy in line]
places = [tuple(int(one, 16) for one in place.split("-")) for place in mapped]
assert set(ranges) & set(places)
"""

# What one life of the agent had, and the next one has no more.
LIVES = """
import weakref
from agent.processes import memory

class Part:
    pass

part = Part()
part.itself = part
seen = weakref.ref(part)
memory.settle()
del part
memory.settle()
assert seen() is None
"""

SMAPS = """\
55d0a0000000-55d0a0001000 r--p 00000000 fe:00 26723                      /usr/bin/python3.11
Rss:                   4 kB
Anonymous:             0 kB
Swap:                  0 kB
7f0000000000-7f0000010000 r-xp 00002000 fe:00 111                        /usr/lib/libfirst.so.1.2
Rss:                  64 kB
Anonymous:             0 kB
Swap:                  0 kB
7f0000010000-7f0000020000 r--p 00012000 fe:00 111                        /usr/lib/libfirst.so.1.2
Rss:                  64 kB
Anonymous:            16 kB
Swap:                  0 kB
7f0000020000-7f0000030000 rw-p 00022000 fe:00 111                        /usr/lib/libfirst.so.1.2
Rss:                  64 kB
Anonymous:             0 kB
Swap:                  0 kB
7f0000030000-7f0000040000 r--s 00000000 fe:00 112                        /usr/lib/shared.so
Rss:                  64 kB
Anonymous:             0 kB
Swap:                  0 kB
7f0000040000-7f0000050000 r--p 00000000 00:00 0
Rss:                   0 kB
Anonymous:             0 kB
Swap:                  0 kB
7f0000050000-7f0000060000 r--p 00000000 fe:00 113                        /a folder/second.so (deleted)
Rss:                  64 kB
Anonymous:             0 kB
Swap:                  0 kB
7f0000060000-7f0000070000 r-xp 00000000 fe:00 114                        /a folder/third.cpython-311.so
Rss:                  64 kB
Anonymous:             0 kB
Swap:                  0 kB
7f0000070000-7f0000080000 r--p 00000000 fe:00 115                        /usr/lib/locale/locale-archive
Rss:                  64 kB
Anonymous:             0 kB
Swap:                  0 kB
7ffe00000000-7ffe00002000 r-xp 00000000 00:00 0                          [vdso]
Anonymous:             0 kB
Swap:                  0 kB
7f0000080000-7f0000090000 r--p 00080000 fe:00 114                        /a folder/third.cpython-311.so
Rss:                   0 kB
Anonymous:             0 kB
Swap:                 16 kB
SwapPss:              16 kB
"""

# What is loaded, and is only a beginning: then the same inference as before.
PROGRAM = """
import sys
import cv2
import numpy as np
from agent.processes import memory

def resident():
    fields = dict(line.split(":", 1) for line in open("/proc/self/smaps_rollup").readlines()[1:])
    return int(fields["Rss"].split()[0]) - int(fields["Anonymous"].split()[0])

def work():
    picture = np.arange(48 * 64 * 3, dtype=np.uint8).reshape(48, 64, 3)
    return cv2.resize(picture, (32, 32)).tobytes()

memory.one_arena()
before, first = resident(), work()
ranges = memory.settle()
after = resident()
assert work() == first
import sqlite3, bz2, ctypes.util  # libraries that come later
memory.give_back(ranges)
assert work() == first
print(before, after, len(ranges))
"""


def test_only_libraries_that_nobody_has_written_into_are_given_back() -> None:
    found = list(memory.untouched(SMAPS.splitlines(keepends=True)))
    assert found == [
        ((0x7F0000000000, 0x7F0000010000), "/usr/lib/libfirst.so.1.2"),
        ((0x7F0000060000, 0x7F0000070000), "/a folder/third.cpython-311.so"),
    ]


def test_half_of_what_libraries_had_mapped_is_given_back_and_they_work_as_before() -> None:
    command = [sys.executable, "-I", "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    before, after, ranges = map(int, done.stdout.split())
    assert ranges > 10
    assert after < before / 2


def test_without_a_list_of_mappings_nothing_is_taken_away(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(memory, "_MAPPINGS", tmp_path / "missing")
    assert memory.let_go() == {}


def test_a_library_that_pages_were_given_back_of_stays_where_it_is(tmp_path: Path) -> None:
    copy = tmp_path / "library\udcff.so"  # no UTF-8: a file's name is any bytes
    command = [sys.executable, "-I", "-X", "utf8", "-c", UNLOADED, str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_what_was_there_at_the_last_beginning_and_is_needed_no_more_goes_at_the_next() -> None:
    command = [sys.executable, "-I", "-c", LIVES]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
