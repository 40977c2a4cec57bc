"""Verifying a data folder, and mending it."""

from __future__ import annotations

import random
from contextlib import closing
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from agent.store import crossing
from agent.store.inspect import segment_files
from agent.store.kept import read_kept
from agent.store.settings import StoreSettings
from agent.store.verify import _without, mend, verify
from tests.simulators.keeping import ACTIVE, KEPT, keep
from tests.simulators.outboxes import acknowledge, drained, fill, numbers, opened

if TYPE_CHECKING:
    from pathlib import Path

ONE = StoreSettings(block_results=1)


def spoil(path: Path, what: bytes) -> None:
    """Flip a bit in the place where some bytes stand in a file."""
    data = bytearray(path.read_bytes())
    data[data.rindex(what) + 3] ^= 1
    path.write_bytes(data)


def filled(folder: Path, settings: StoreSettings = ONE, count: int = 6) -> list[bytes]:
    """Commit records of noise, a block each; give the first bytes of each block."""
    noise = random.Random(1)
    with closing(opened(folder, settings)) as outbox:
        for n in range(1, count + 1):
            outbox.put([{"n": n, "x": noise.randbytes(400).hex()}], {})
            outbox.flush()
        [*leases] = drained(outbox)
    return [block.data[20:60] for lease in leases for block in lease.blocks]


def found(folder: Path) -> list[tuple[int | None, int | None]]:
    return [(finding.first, finding.last) for finding in verify(folder).findings]


def test_a_sound_folder_is_counted_also_beside_its_writer(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 5)
        acknowledge(outbox, outbox.epoch, 2)
        verdict = verify(tmp_path)
    assert (verdict.segments, verdict.blocks, verdict.records, verdict.findings) == (3, 3, 3, ())


def test_each_damaged_block_is_named_with_its_records(tmp_path: Path) -> None:
    blocks = filled(tmp_path)
    [file] = segment_files(tmp_path)
    for n in (2, 5):
        spoil(file.path, blocks[n - 1])
    verdict = verify(tmp_path)
    assert [(one.file, one.first, one.last) for one in verdict.findings] == [
        (file.path.name, 2, 2),
        (file.path.name, 5, 5),
    ]


def test_a_file_that_is_gone_is_found_out_by_its_neighbours(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 3)
    segment_files(tmp_path)[1].path.unlink()
    assert found(tmp_path) == [(2, 2)]


def test_mending_sets_the_file_aside_and_declares_what_it_cost(tmp_path: Path) -> None:
    blocks = filled(tmp_path)
    [file] = segment_files(tmp_path)
    spoil(file.path, blocks[2])
    whole = file.path.read_bytes()
    assert [(one.first, one.last) for one in mend(tmp_path)] == [(3, 3)]
    assert found(tmp_path) == []
    [kept] = (tmp_path / "quarantine").glob("*.db")
    assert kept.read_bytes() == whole
    with closing(opened(tmp_path)) as outbox:
        leases = drained(outbox)
        assert [n for lease in leases for n in numbers(lease)] == [1, 2, 4, 5, 6]
        assert {(loss.first, loss.last, loss.reason) for lease in leases for loss in lease.lost} == {
            (3, 3, "damaged")
        }
        assert outbox.status().streams["result"].lost == 1


def test_mending_notes_a_file_that_is_gone(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 3)
    segment_files(tmp_path)[2].path.unlink()
    mend(tmp_path)
    assert found(tmp_path) == []
    assert mend(tmp_path) == []
    with closing(opened(tmp_path)) as outbox:
        lost = [loss for lease in drained(outbox) for loss in lease.lost]
    assert {(loss.first, loss.last, loss.reason) for loss in lost} == {(3, 3, "missing")}


def test_what_is_acknowledged_is_no_loss(tmp_path: Path) -> None:
    blocks = filled(tmp_path)
    with closing(opened(tmp_path, ONE)) as outbox:
        [*leases] = drained(outbox)
        acknowledge(outbox, leases[0].epoch, 4)
    spoil(segment_files(tmp_path)[0].path, blocks[1])
    mend(tmp_path)
    with closing(opened(tmp_path)) as outbox:
        assert outbox.status().streams["result"].lost == 0
        assert [n for lease in drained(outbox) for n in numbers(lease)] == [5, 6]


def test_a_damaged_state_is_found_and_made_anew(tmp_path: Path) -> None:
    filled(tmp_path)
    (tmp_path / "state.db").write_bytes(b"no database" * 999)
    [finding] = verify(tmp_path).findings
    assert finding.file == "state.db"
    [mended] = mend(tmp_path)
    assert mended.file == "state.db"
    assert found(tmp_path) == []
    with closing(opened(tmp_path)) as outbox:
        assert [n for lease in drained(outbox) for n in numbers(lease)] == [1, 2, 3, 4, 5, 6]


def test_an_empty_folder_is_sound(tmp_path: Path) -> None:
    assert verify(tmp_path).findings == ()


RANGES = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 9)).map(lambda one: (one[0], sum(one))))


@given(RANGES, RANGES)
def test_ranges_are_taken_out_of_ranges_as_sets_are(
    taken: list[tuple[int, int]], wholes: list[tuple[int, int]]
) -> None:
    for whole in wholes:
        left = [n for first, last in _without(taken, [whole]) for n in range(first, last + 1)]
        gone = {n for first, last in taken for n in range(first, last + 1)}
        assert left == [n for n in range(whole[0], whole[1] + 1) if n not in gone]


def test_a_model_or_an_entry_with_a_flipped_bit_is_named_and_the_rest_is_taken_over(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 2)
        keep(outbox)
    spoil(tmp_path / "state.db", b"so far so good")
    assert [(one.file, one.first) for one in verify(tmp_path).findings] == [("state.db", None)]
    assert [one.file for one in mend(tmp_path)] == ["state.db"]
    assert verify(tmp_path).findings == ()
    kept = read_kept(tmp_path)
    assert (kept.slots, kept.verdicts, kept.documents) == ((ACTIVE,), KEPT.verdicts, KEPT.documents)


def test_what_a_migration_has_set_aside_is_not_called_missing(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 2)
    crossing.begin(tmp_path)
    for path in (tmp_path / "segments").iterdir():
        path.rename(tmp_path / path.name)
    [finding] = verify(tmp_path).findings
    assert finding.problem == "a migration was cut off; the agent's next start finishes it"
