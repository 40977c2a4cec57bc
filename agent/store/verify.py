"""Read every block of a data folder and say what is wrong; with the folder held, mend what can be mended."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.blocks import Loss, unpack
from agent.errors import FileDamaged, MessageInvalid, StoreBusy
from agent.sqlite import refusals
from agent.store import repair
from agent.store.crossing import MARK, cut_off, refuse_unfinished
from agent.store.inspect import look, look_at_state, segment_files
from agent.store.rebuild import finish, rebuilt
from agent.store.state import EpochRow, State

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from agent.blocks import Block, Stream
    from agent.store.inspect import Look, SegmentFile, StateLook

    Place = tuple[Stream, str]

_MISSING = "records are missing, and nothing says why"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong at one place.

    Attributes:
        file: the file's name.
        problem: what is wrong.
        first, last: the records that it costs; None where it costs none.
    """

    file: str
    problem: str
    first: int | None = None
    last: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was read, and what is wrong with it."""

    segments: int
    blocks: int
    records: int
    findings: tuple[Finding, ...]


def verify(folder: Path) -> Verdict:
    """Read every block, also while an agent runs.

    Raises:
        StoreBusy: a file cannot be read for now.
        FolderUnusable: the folder cannot be looked into, or is of another version.
    """
    findings: list[Finding] = []
    held: dict[Place, list[tuple[int, int]]] = {}
    segments = blocks = records = 0
    files = segment_files(folder)
    for file in files:
        if (found := look(file)) is None:
            continue
        segments += 1
        blocks += len(found.blocks)
        records += sum(block.count for block in found.blocks)
        ranges = [(block.first, block.last) for block in found.blocks]
        held.setdefault((file.name.stream, file.name.epoch), []).extend(ranges)
        findings += _in_file(file, found)
    state = look_at_state(folder)  # last: what was unlinked meanwhile is acknowledged or noted in it
    if state.problem and (files or (folder / "state.db").exists()):
        findings.append(Finding("state.db", state.problem))
    if cut_off(folder):  # what is set aside would look as if it were missing
        findings.append(Finding(MARK, "a migration was cut off; the agent's next start finishes it"))
    else:
        findings += _gaps(held, state, findings)
    return Verdict(segments, blocks, records, tuple(findings))


def mend(folder: Path) -> list[Finding]:
    """Set damaged files aside, go on with what is sound in them, and note what is lost.

    The caller holds the folder (``DataFolder``).

    Returns:
        What was mended.

    Raises:
        StoreBusy: the disk refuses for now; what is done stays done.
        FolderUnusable: the folder is of another version.
    """
    done: list[Finding] = []
    refuse_unfinished(folder)
    with refusals("repair", folder):
        if (folder / "segments").is_dir():
            repair.finish(folder / "segments")
    finish(folder / "state.db")
    with closing(_sound_state(folder, done)) as state:
        for file in segment_files(folder):
            found = look(file)
            if found is None or not found.damaged:
                continue
            place = (file.name.stream, file.name.epoch)
            if not any((row.stream, row.epoch) == place for row in state.epochs()):
                state.begin([EpochRow(*place)])
            state.lose(*place, list(_losses(state, place, found.holes, found.blocks)))
            if not repair.replace(file.path, found.blocks):
                problem = "its sound blocks could not be written"
                raise StoreBusy("repair", str(file.path), problem, "Free some space, then run this again")
            done += [Finding(file.path.name, "set aside; the rest goes on", *one) for one in found.holes]
            done += [] if found.holes else [Finding(file.path.name, "set aside; no block was lost")]
        for gap in [one for one in verify(folder).findings if one.problem == _MISSING]:
            done.append(_note_missing(state, gap))
    return done


def _note_missing(state: State, gap: Finding) -> Finding:
    """What no file holds any more is noted, so that the collector is told."""
    row = next(row for row in state.epochs() if gap.file == f"{row.stream}-{row.epoch}")
    if gap.first is not None and gap.last is not None:
        state.lose(row.stream, row.epoch, [Loss(gap.first, gap.last, "missing")])
    return Finding(gap.file, "noted as lost", gap.first, gap.last)


def _sound_state(folder: Path, done: list[Finding]) -> State:
    path = folder / "state.db"
    try:
        return State(path)
    except FileDamaged as error:
        state = rebuilt(path, error)
        done.append(Finding(path.name, f"set aside, and made anew from the segments ({error.problem})"))
        return state


def _losses(
    state: State, place: Place, holes: Iterable[tuple[int, int]], blocks: tuple[Block, ...]
) -> Iterable[Loss]:
    """The holes, with the times of their neighbours; what is acknowledged or noted already is no loss."""
    acked = next((row.acked for row in state.epochs() if (row.stream, row.epoch) == place), 0)
    known = [(loss.first, loss.last) for loss in state.losses().get(place, [])]
    for first, last in _without([(1, acked), *known], holes):
        before = [block.times for block in blocks if block.last < first and block.times]
        after = [block.times for block in blocks if block.first > last and block.times]
        from_ns = before[-1].to_ns if before else None
        yield Loss(first, last, "damaged", from_ns, after[0].from_ns if after else None)


def _in_file(file: SegmentFile, found: Look) -> list[Finding]:
    """What is wrong in one file; holes in a sound one are judged with the cursor and the noted losses."""
    name = file.path.name
    findings = [Finding(name, "a block is damaged", *hole) for hole in found.holes if found.damaged]
    for block in found.blocks:
        try:
            unpack(block)
        except MessageInvalid as error:  # its checksum holds all the same: it was written so
            findings.append(Finding(name, error.problem, block.first, block.last))
    if found.damaged and not findings:
        findings.append(Finding(name, found.problem or "its last blocks are damaged"))
    return findings


def _gaps(held: dict[Place, list[tuple[int, int]]], state: StateLook, known: list[Finding]) -> list[Finding]:
    """Records between the cursor and the end that are neither there nor noted as lost."""
    found = []
    rows = {(row.stream, row.epoch): row for row in state.epochs}
    for place in sorted({*held, *rows}):
        row = rows.get(place)
        ranges = held.get(place, [])
        begin = min((first for first, _ in ranges), default=1) if row is None else row.acked + 1
        end = max([row.last or 0 if row else 0, *(last for _, last in ranges)])
        told = [(loss.first, loss.last) for loss in state.losses.get(place, [])]
        told += [(one.first, one.last) for one in known if one.first is not None and one.last is not None]
        name = f"{place[0]}-{place[1]}"
        found += [Finding(name, _MISSING, *gap) for gap in _without([*ranges, *told], [(begin, end)])]
    return found


def _without(
    ranges: Iterable[tuple[int, int]], wholes: Iterable[tuple[int, int]]
) -> Iterable[tuple[int, int]]:
    """What is left of ``wholes`` when ``ranges`` are taken out."""
    ordered = sorted(ranges)
    for whole, end in wholes:
        begin = whole
        for first, last in ordered:
            if first > end:
                break
            if first > begin:
                yield begin, min(end, first - 1)
            begin = max(begin, last + 1)
        if begin <= end:
            yield begin, end
