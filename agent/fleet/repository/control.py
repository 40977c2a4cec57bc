"""The control keys of a fleet: whose word devices take, and for what; ``fleet/keys.json`` names them.

A colleague's key lies in DIR/colleagues/<name>, a folder to be given away: the key, encrypted with a
passphrase of its own, and what is needed to command devices and to prove what they answer. Its public half
stays as DIR/colleagues/<name>.pub when the folder is gone: so the key has a name, and no second one is made.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from agent.commands import registry
from agent.documents.keys import ControlKey, ControlKeys, decode
from agent.errors import ConfigInvalid
from agent.files import write_durably
from agent.fleet.inventory import ENDING
from agent.fleet.keys import DEVICES
from agent.fleet.repository.keystore import Keystore
from agent.fleet.repository.roles import KEYS
from agent.fleet.repository.signers import CONTROL
from agent.link.topics import NAME_HINT, is_name
from agent.trust.keys import read_verifier
from agent.validation import first_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from agent.fleet.repository.repository import Repository

COLLEAGUES = "colleagues"


@dataclass(frozen=True, slots=True)
class Known:
    """A key that devices take the word of. ``name`` is "" where nobody here knows it."""

    name: str
    key_id: str
    scopes: tuple[str, ...]


def known(repository: Repository) -> list[Known]:
    """Give the keys that the metadata names, in its order.

    Raises:
        ConfigInvalid: a key's file is none.
    """
    names = _names(repository)
    return [Known(names.get(one.pem, ""), _id(one.pem), one.scopes) for one in _keys(repository)]


def add(repository: Repository, name: str, scopes: Sequence[str], ask: Callable[[], str]) -> Path:
    """Have the metadata name a colleague's key, for these scopes alone; a key that is there stays what it is.

    Args:
        repository: open; the change waits for its commit.
        name: the colleague's.
        scopes: what the key's word shall count for.
        ask: gives the passphrase of a new key.

    Returns:
        The folder to be given to the colleague.

    Raises:
        ConfigInvalid: the name or a scope is not allowed, or there are too many.
        OSError: the disk refuses.
    """
    if not is_name(name) or name == CONTROL:
        raise ConfigInvalid("add key", repr(name), "a key cannot be called so", NAME_HINT)
    kept = _scopes(name, scopes)
    folder = repository.tree.folder / COLLEAGUES / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    pem = _public(folder, ask)
    _share(repository.tree.folder / DEVICES, folder / DEVICES)
    others = [one for one in _keys(repository) if one.pem != pem]
    try:
        keys = ControlKeys(keys=(*others, ControlKey(pem=pem, scopes=kept)))
    except ValidationError as error:
        hint = "Remove one first: edgectl keys remove NAME"
        raise ConfigInvalid("add key", name, first_problem(error), hint) from error
    repository.set_document(KEYS, keys.model_dump_json().encode())
    return folder


def _public(folder: Path, ask: Callable[[], str]) -> str:
    """Give the public half of a colleague's key, PEM; make one where they have none."""
    own, public = Keystore(folder, ask), _public_file(folder)
    if public.exists() and not own.has(CONTROL):
        read_verifier(public, "key")
        return public.read_text()  # it was given away
    own.make([CONTROL])
    pem = own.public_pem(CONTROL)
    write_durably(public, pem.encode(), 0o644)
    return pem


def _public_file(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.pub")


def _scopes(name: str, scopes: Sequence[str]) -> tuple[str, ...]:
    """Give scopes, each once, if a key may have them."""
    try:
        kept = ControlKey(pem="", scopes=tuple(dict.fromkeys(scopes))).scopes
    except ValidationError as error:
        hint = "Scopes are: desired, command, command.OP; at most 8 of a key"
        raise ConfigInvalid("add key", name, first_problem(error), hint) from error
    for scope in kept:
        _, _, op = scope.partition("command.")
        if op and op not in registry.OPS:
            hint = f"There are: {', '.join(sorted(registry.OPS))}"
            raise ConfigInvalid("add key", f"--scope {scope}", f"there is no command {op}", hint)
    return kept


def remove(repository: Repository, name: str) -> Known:
    """Have the metadata name a key no more; give it.

    Args:
        repository: open; the change waits for its commit.
        name: the colleague's, or the key's id.

    Raises:
        ConfigInvalid: no such key is named, or it is the operator's own.
        OSError: the disk refuses.
    """
    names = _names(repository)
    found = [one for one in _keys(repository) if name in {names.get(one.pem), _id(one.pem)}]
    if not found:
        there = ", ".join(one.name or one.key_id for one in known(repository))
        raise ConfigInvalid("remove key", name, "no such key is named", f"There are: {there}")
    if names.get(found[0].pem) == CONTROL:
        hint = "Replace it with: edgectl rotate fleet"
        raise ConfigInvalid("remove key", name, "it is the operator's own", hint)
    keys = ControlKeys(keys=tuple(one for one in _keys(repository) if one not in found))
    repository.set_document(KEYS, keys.model_dump_json().encode())
    return Known(names.get(found[0].pem, ""), _id(found[0].pem), found[0].scopes)


def forget(folder: Path, name: str) -> None:
    """Delete what is here of a colleague, whose key counts no more.

    Raises:
        OSError: the disk refuses.
    """
    if is_name(name):
        place = folder / COLLEAGUES / name
        if place.is_dir():
            shutil.rmtree(place)
        _public_file(place).unlink(missing_ok=True)


def _keys(repository: Repository) -> tuple[ControlKey, ...]:
    document = repository.document(KEYS)
    return decode(document).keys if document else ()


def _names(repository: Repository) -> dict[str, str]:
    """Give the names of the keys that lie here, by their public halves."""
    place = repository.tree.folder / COLLEAGUES
    found = {path.read_text(errors="replace"): path.stem for path in place.glob("*.pub")} | {
        Keystore(one.parent, str).public_pem(CONTROL): one.parent.name
        for one in place.glob(f"*/{CONTROL}.key")
    }
    if repository.keys.has(CONTROL):
        found[repository.keys.public_pem(CONTROL)] = CONTROL
    return found


def _id(pem: str) -> str:
    from agent.trust.signing import Verifier

    return Verifier.from_pem(pem.encode()).key_id


def _share(devices: Path, there: Path) -> None:
    """Copy what proves devices and says which groups they are in; never a private key."""
    shutil.rmtree(there, ignore_errors=True)
    there.mkdir(mode=0o700)
    for path in sorted(devices.iterdir()) if devices.is_dir() else ():
        if path.suffix == ".pub" or (path.suffix == ENDING and is_name(path.stem)):
            shutil.copyfile(path, there / path.name)
