"""Takes away what was installed, and nothing else; purging takes configuration, secrets and data, too."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agent.installing.applying import Step, content_of, perform, refuse_outside, remove
from agent.installing.plan import ALIKE, CATALOG, UNIT, UNITS, UPDATE_CATALOG, Command
from agent.installing.record import RECORD, below

if TYPE_CHECKING:
    from pathlib import Path

    from agent.installing.applying import Run, Tell
    from agent.installing.record import Record

_OWN_UNIT = f"{UNITS}/{UNIT}"
_FOLDERS = ("/etc/edge-agent", "/var/lib/private/edge-agent", "/var/lib/edge-agent")
"""Configuration and data; the last is a link to the one before it."""
_SECRETS = ("/etc/credstore/edge-agent.*", "/etc/credstore.encrypted/edge-agent.*")


def judge(root: Path, known: Record, *, force: bool, purge: bool) -> list[Step]:
    """Say what would become of each file and link; nothing is changed.

    Args:
        root: the machine's "/".
        known: what was installed.
        force: take files, too, that somebody has changed.
        purge: take configuration, secrets and data, too.

    Raises:
        AgentError: a file cannot be read, or one stands outside of ``root``.
    """
    for path in (
        RECORD,
        _OWN_UNIT,
        *known.files,
        *known.coming,
        *known.links,
        *known.once,
        *_FOLDERS,
        *_SECRETS,
    ):
        refuse_outside(below(root, path), root)
    steps = [_of_file(root, path, known, force=force) for path in {**known.files, **known.coming}]
    for path, target in known.links.items():
        mine = below(root, path)
        steps.append(
            Step("removed" if mine.is_symlink() and str(mine.readlink()) == target else "kept", path)
        )
    if purge:
        secrets = sorted(found for pattern in _SECRETS for found in root.glob(pattern.lstrip("/")))
        steps += [Step("removed", f"/{found.relative_to(root)}") for found in secrets]
        steps += [Step("removed", path) for path in _FOLDERS if os.path.lexists(below(root, path))]
    else:
        steps += [Step("kept", path) for path in known.once if below(root, path).exists()]
    return [one for one in steps if one.did != "kept" or os.path.lexists(below(root, one.path))]


def apply(root: Path, known: Record, steps: list[Step], *, image: bool, tell: Tell, run: Run) -> None:
    """Stop the service, and do it.

    Raises:
        AgentError: the disk refuses, or a command fails.
    """
    files = known.files.keys() | known.coming.keys()
    own = _OWN_UNIT in files
    udev = any(path.startswith("/etc/udev/") for path in files) and below(root, "/run/udev/control").exists()
    if own and not image and below(root, _OWN_UNIT).exists():
        perform((Command(("systemctl", "disable", "--now", UNIT)),), changed=True, tell=tell, run=run)
    for step in steps:
        if step.did == "removed":
            remove(below(root, step.path))
        tell(step.did, step.path)
    for folder in (below(root, f"{UNITS}/{unit}.d") for unit in (UNIT, *ALIKE)):
        if folder.is_dir() and not any(folder.iterdir()):
            remove(folder)
    remove(below(root, RECORD))
    if files and not image:
        after: list[tuple[str, ...]] = [("udevadm", "control", "--reload")] if udev else []
        after += [UPDATE_CATALOG] if CATALOG in files else []
        after.append(("systemctl", "daemon-reload"))
        if not own:  # a package's service goes on, with the rights that it has now
            after.append(("systemctl", "try-restart", UNIT))
        perform(tuple(map(Command, after)), changed=True, tell=tell, run=run)


def _of_file(root: Path, path: str, known: Record, *, force: bool) -> Step:
    if force:
        return Step("removed" if os.path.lexists(below(root, path)) else "kept", path)
    there = content_of(below(root, path))
    return Step("removed" if there is not None and known.wrote(path, there) else "kept", path)
