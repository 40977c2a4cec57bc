"""Applies a plan: writes files that nobody else has changed, makes links, runs commands."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from agent.errors import AgentError
from agent.files import write_durably
from agent.installing import record as records
from agent.installing.record import Record, below, digest, refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agent.installing.plan import Command, File, Link, Plan

Outcome = Literal["written", "replaced", "unchanged", "kept", "linked", "ran", "removed"]
Tell = Callable[[Outcome, str], None]
"""Called with what was done, and to what, as soon as it is."""
Run = Callable[[tuple[str, ...]], None]
"""Runs a command to its end, or raises ``AgentError``."""
CHANGES: frozenset[Outcome] = frozenset(("written", "replaced", "linked", "removed"))
_OP = "install"


@dataclass(frozen=True, slots=True)
class Step:
    """What is done with one file, or link."""

    did: Outcome
    path: str


def judge(plan: Plan, root: Path, known: Record, *, force: bool) -> list[Step]:
    """Say what would be done with each file and link; nothing is written.

    What was installed before and is wanted no more is removed, unless somebody has changed it.

    Args:
        plan: what is wanted.
        root: the machine's "/".
        known: what was installed before.
        force: replace files that somebody has changed.

    Raises:
        AgentError: somebody has changed a file, or it is none; or it cannot be read.
    """
    refuse_outside(below(root, records.RECORD), root)
    steps = [Step(_of_file(one, root, known, force=force), one.path) for one in plan.files]
    steps += [Step(_of_link(one, root, known), one.path) for one in plan.links]
    return steps + list(_stale(plan, root, known))


def apply(plan: Plan, root: Path, known: Record, steps: list[Step], *, tell: Tell, run: Run) -> None:
    """Do it; what was written is recorded before any command runs, and then that all of them did.

    Raises:
        AgentError: the disk refuses, or a command fails.
    """
    before = os.umask(0o022)  # what is written here everyone may read, whatever root's own is
    try:
        record = _put(plan, root, known, {one.path: one.did for one in steps}, tell)
    finally:
        os.umask(before)
    changed = not known.complete or any(one.did in CHANGES for one in steps)
    perform(plan.commands, changed=changed, tell=tell, run=run)
    records.write(root, record.model_copy(update={"complete": True}))


def _put(plan: Plan, root: Path, known: Record, did: Mapping[str, Outcome], tell: Tell) -> Record:
    """Write the files, make the links, and record them."""
    files, once, links = dict(known.files), dict(known.once), dict(known.links)
    records.write(root, _before(plan, root, known, did))
    for file in plan.files:
        if did[file.path] in {"written", "replaced"}:
            _write(below(root, file.path), file)
        if did[file.path] != "kept":
            (once if file.once else files)[file.path] = digest(file.content)
        tell(did[file.path], file.path)
    for link in plan.links:
        if did[link.path] == "linked":
            _link(below(root, link.path), link)
        if did[link.path] != "kept":
            links[link.path] = link.target
        tell(did[link.path], link.path)
    for path in [path for path, done in did.items() if done == "removed"]:
        remove(below(root, path))
        files.pop(path, None)
        tell("removed", path)
    record = Record(files=files, once=once, links=links, complete=False)
    records.write(root, record)
    return record


def _before(plan: Plan, root: Path, known: Record, did: Mapping[str, Outcome]) -> Record:
    """Give the record of what is known, and is about to be written: whatever cuts that off, it is ours."""
    writes = [one for one in plan.files if did[one.path] in {"written", "replaced"} and not one.once]
    links = {one.path: one.target for one in plan.links if not os.path.lexists(below(root, one.path))}
    return known.model_copy(
        update={
            "coming": {**known.coming, **{one.path: digest(one.content) for one in writes}},
            "links": {**known.links, **links},
            "complete": False,
        }
    )


def perform(commands: tuple[Command, ...], *, changed: bool, tell: Tell, run: Run) -> None:
    """Run commands, those for changes only where there are any.

    Raises:
        AgentError: one fails; those behind it are not run.
    """
    for command in commands:
        if changed or not command.if_changed:
            run(command.argv)
            tell("ran", " ".join(command.argv))


def content_of(path: Path) -> bytes | None:
    """Give what stands in a file; None where there is nothing.

    Raises:
        AgentError: it is no plain file, or cannot be read.
    """
    try:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            hint = "Take it away (systemctl unmask, if it masks the unit), then run this again"
            raise AgentError(_OP, str(path), "something is there that is no file", hint)
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise refused(_OP, path, error) from error


def _of_file(file: File, root: Path, known: Record, *, force: bool) -> Outcome:
    path = below(root, file.path)
    refuse_outside(path, root)
    if file.once:
        return "kept" if os.path.lexists(path) else "written"
    there = content_of(path)
    if there is None:
        return "written"
    if there == file.content:
        return "unchanged"
    if force or known.wrote(file.path, there):
        return "replaced"
    own = "a drop-in (systemctl edit edge-agent)" if "/systemd/" in file.path else "a file of another name"
    hint = f"Keep your changes in {own}, and have it replaced: edge-agent install --force"
    raise AgentError(_OP, str(path), "somebody has changed it", hint)


def _of_link(link: Link, root: Path, known: Record) -> Outcome:
    path = below(root, link.path)
    refuse_outside(path, root)
    if not os.path.lexists(path):
        return "linked"
    there = str(path.readlink()) if path.is_symlink() else ""
    if there == link.target:
        return "unchanged"
    return "linked" if there and there == known.links.get(link.path) else "kept"


def _stale(plan: Plan, root: Path, known: Record) -> Iterator[Step]:
    for path in sorted((known.files.keys() | known.coming.keys()) - {one.path for one in plan.files}):
        refuse_outside(below(root, path), root)
        there = content_of(below(root, path))
        if there is not None and known.wrote(path, there):
            yield Step("removed", path)


def remove(path: Path) -> None:
    """Remove a file, a link, or a folder with all that is in it; one that is a disk of its own is emptied.

    Raises:
        AgentError: the disk refuses.
    """
    try:
        if path.is_mount():
            for one in path.iterdir():
                remove(one)
        elif path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise refused("remove", path, error) from error


def refuse_outside(path: Path, root: Path) -> None:
    """An image's own links, and its record, must not have this machine's files written or removed.

    Raises:
        AgentError: what is there stands outside of ``root``.
    """
    if not Path(os.path.realpath(path.parent)).is_relative_to(os.path.realpath(root)):
        raise AgentError(_OP, str(path), f"the way there leads out of {root}", "Correct it in the image")


def _write(path: Path, file: File) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, file.content, file.mode)
    except OSError as error:
        raise refused(_OP, path, error) from error


def _link(path: Path, link: Link) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(link.target)
    except OSError as error:
        raise refused(_OP, path, error) from error
