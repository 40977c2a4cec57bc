"""The audit log's chain: what was changed, taken out, put in or cut off is found, where it stands."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.slots import AuditEntry, Change, Note, chained
from agent.store import custody
from agent.store.audit import MOST_FINDINGS, newest_entries, proved
from agent.store.seals import sealed
from agent.store.state import State

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hypothesis.strategies import DataObject

ENTRIES = 9


def written(folder: Path, count: int = ENTRIES) -> list[tuple[int, str]]:
    """Write so many entries; give the head after each."""
    with closing(State(folder / "state.db")) as state:
        notes = (Change(notes=(Note("model.activated", "door", {"n": n}),)) for n in range(count))
        return [state.change(change, n, synced=True) for n, change in enumerate(notes)]


@pytest.fixture
def heads(tmp_path: Path) -> list[tuple[int, str]]:
    return written(tmp_path)


def tamper(folder: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(folder / "state.db", isolation_level=None)) as db:
        db.execute(statement, values)


def rewrite(folder: Path, seq: int, body: bytes, found: str) -> None:
    """As one does who knows how rows are sealed."""
    tamper(folder, "REPLACE INTO audit VALUES (?, ?, ?, ?)", *sealed(seq, body, found))


def entries(folder: Path) -> dict[int, AuditEntry]:
    return {entry.seq: entry for entry in newest_entries(folder, 10**6)[0]}


def test_a_whole_log_is_proved_with_each_head_that_it_had(
    tmp_path: Path, heads: list[tuple[int, str]]
) -> None:
    for head in (None, *heads):
        chain = proved(tmp_path, head)
        assert (chain.entries, chain.first, chain.findings) == (ENTRIES, 1, ())
        assert (chain.seq, chain.hash) == heads[-1]


def test_a_folder_without_a_log_has_an_empty_one(tmp_path: Path) -> None:
    assert proved(tmp_path).findings == ()
    assert newest_entries(tmp_path, 5) == ([], 0)
    (tmp_path / "state.db").touch()
    assert proved(tmp_path).findings == ()
    assert "the log ends at entry 0" in proved(tmp_path, (1, "0" * 64)).findings[0]


def test_a_changed_content_breaks_the_chain_where_it_stands(
    tmp_path: Path, heads: list[tuple[int, str]]
) -> None:
    entry = entries(tmp_path)[4]
    rewrite(tmp_path, 4, entry.body.replace(b"door", b"gate"), entry.hash)
    [finding] = proved(tmp_path).findings
    assert finding.startswith("entry 4: its hash is not")


def test_a_changed_entry_with_a_hash_of_its_own_breaks_the_chain_behind_it(
    tmp_path: Path, heads: list[tuple[int, str]]
) -> None:
    found = entries(tmp_path)
    body = found[4].body.replace(b"door", b"gate")
    rewrite(tmp_path, 4, body, chained(found[3].hash, body))
    [finding] = proved(tmp_path).findings
    assert finding.startswith("entry 5: ")


def test_an_entry_that_is_taken_out_is_missed(tmp_path: Path, heads: list[tuple[int, str]]) -> None:
    tamper(tmp_path, "DELETE FROM audit WHERE seq = 4")
    [finding] = proved(tmp_path).findings
    assert finding == "entry 5: it follows nothing that is here, entries 4 to 4 are missing"
    tamper(tmp_path, "DELETE FROM audit WHERE seq < 4")
    assert proved(tmp_path).findings[0].endswith("entries 1 to 4 are missing")


def test_a_log_that_was_cut_off_or_written_anew_is_whole_but_for_a_head_that_was_noted_elsewhere(
    tmp_path: Path, heads: list[tuple[int, str]]
) -> None:
    tamper(tmp_path, "DELETE FROM audit WHERE seq > 5")
    assert proved(tmp_path).findings == ()
    assert proved(tmp_path, heads[-1]).findings == (
        "the log ends at entry 5: once it had 9, the rest is gone",
    )
    tamper(tmp_path, "DELETE FROM audit")
    written(tmp_path, 12)
    with closing(State(tmp_path / "state.db")) as state:
        state.change(Change(notes=(Note("x", "y"),)), 7, synced=None)
    assert proved(tmp_path).findings == ()
    other = (heads[-1][0], "f" * 64)
    assert proved(tmp_path, other).findings == (
        "entry 9: once its hash was another one, the log was written anew",
    )


def test_entries_in_another_order_are_found(tmp_path: Path, heads: list[tuple[int, str]]) -> None:
    four, five = (entries(tmp_path)[n] for n in (4, 5))
    rewrite(tmp_path, 4, five.body, chained(entries(tmp_path)[3].hash, five.body))
    rewrite(tmp_path, 5, four.body, chained(chained(entries(tmp_path)[3].hash, five.body), four.body))
    found = proved(tmp_path).findings
    assert "entry 4: its content is that of another one" in found
    assert any(one.startswith("entry 6: its hash") for one in found)


@pytest.mark.parametrize("spoil", ["UPDATE audit SET body = x'00'", "UPDATE audit SET hash = 'none'"])
def test_damage_everywhere_is_told_in_a_few_lines(tmp_path: Path, spoil: str) -> None:
    written(tmp_path, 60)
    tamper(tmp_path, spoil)
    found = proved(tmp_path).findings
    assert found[0] == "entry 1: it is damaged, its checksum does not hold"
    assert len(found) == MOST_FINDINGS + 1
    assert found[-1].startswith("and ")
    assert newest_entries(tmp_path, 5) == ([], 5)


def test_a_file_that_is_no_log_at_all_is_told(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"no database" * 999)
    [finding] = proved(tmp_path).findings
    assert "damaged" in finding
    (tmp_path / "state.db").unlink()
    written(tmp_path)
    tamper(tmp_path, "ALTER TABLE audit RENAME TO locks")
    assert "damaged" in proved(tmp_path).findings[0]


def test_the_first_entry_that_is_kept_is_still_proved_to_follow_those_that_went(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(custody, "MOST_ENTRIES", 4)
    heads = written(tmp_path)
    chain = proved(tmp_path)
    assert (chain.entries, chain.first, chain.seq, chain.findings) == (4, 6, 9, ())
    for head in heads[4:]:
        assert proved(tmp_path, head).findings == ()
    assert "entry 4: it is not kept any more" in proved(tmp_path, heads[3]).findings[0]
    first = entries(tmp_path)[6]
    rewrite(tmp_path, 6, first.body.replace(b"door", b"gate"), first.hash)
    assert proved(tmp_path).findings[0].startswith("entry 6: ")


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_no_change_to_a_row_passes(tmp_path_factory: pytest.TempPathFactory, data: DataObject) -> None:
    """Whoever changes one entry, and seals the row again, is found."""
    folder = tmp_path_factory.mktemp("log")
    with closing(State(folder / "state.db")) as state:
        state.change(Change(notes=(Note("model.activated", "door", {"n": 1}),) * ENTRIES), 7, synced=True)
    seq = data.draw(st.integers(1, ENTRIES))
    entry = entries(folder)[seq]
    body = bytearray(entry.body)
    place = data.draw(st.integers(0, len(body) * 8 - 1))
    body[place // 8] ^= 1 << place % 8
    before = entries(folder)[seq - 1].hash if seq > 1 else ""
    hashes: list[Callable[[], str]] = [lambda: entry.hash, lambda: chained(before, bytes(body))]
    found = data.draw(st.sampled_from(hashes))()
    rewrite(folder, seq, bytes(body), found)
    chain = proved(folder, (ENTRIES, entries(folder)[ENTRIES].hash if seq < ENTRIES else entry.hash))
    assert chain.findings
    assert f"entry {seq}" in chain.findings[0] or f"entry {seq + 1}" in chain.findings[0]
