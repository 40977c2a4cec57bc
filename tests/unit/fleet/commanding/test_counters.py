"""Numbers of commands rise, whatever the clock does and whoever asks."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import AgentError, ConfigInvalid
from agent.fleet.commanding.counters import FILE, numbered


@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 100)), max_size=8))
def test_no_number_is_given_twice_and_each_is_above_the_last(asked: list[tuple[int, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        last = 0
        for count, now in asked:
            first = numbered(Path(folder), count, now)
            assert first > last
            assert first >= now
            last = first + count - 1


def test_two_machines_interleave_as_their_clocks_do(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    found = [numbered(tmp_path / name, 1, now) for now, name in ((10, "one"), (12, "two"), (13, "one"))]
    assert found == [10, 12, 13]


def test_a_damaged_file_and_a_missing_folder_are_told(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"v": 1, "command": "many"}')
    with pytest.raises(ConfigInvalid, match="Delete it: the clock gives the next number"):
        numbered(tmp_path, 1, 5)
    with pytest.raises(AgentError, match="number commands in"):
        numbered(tmp_path / "absent", 1, 5)
