"""The operator's folder of keys: the collector's own, and the public ones of the devices.

DIR/collector.key          signs acknowledgements; for the collector alone
DIR/collector.pub          goes to every device
DIR/devices/<id>.key       goes to that device, and need not stay here
DIR/devices/<id>.pub       proves that a batch is that device's
DIR/public/<id>.pub        the same once more: what a collector elsewhere has as its DIR/devices
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agent.errors import AgentError, ConfigInvalid
from agent.events import Event, emit
from agent.files import NEW, advice, write_durably
from agent.fleet.writing import write_together
from agent.link.topics import NAME_HINT, is_name
from agent.trust.keys import read_signer, read_verifier
from agent.trust.signing import generate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from agent.trust.signing import Signer, Verifier

COLLECTOR = "collector"
DEVICES = "devices"
PUBLIC = "public"
_ABSENT_S = 10.0
"""How long a device without a key is believed to have none."""
_KNOWN_S = 60.0
"""How long a key is used before its file is read again: it may have been replaced or taken away."""
_MOST_KNOWN = 10_000


class Keyring:
    """Keys as the collector needs them; devices that are added later are found.

    Args:
        folder: what ``edgectl init`` made.

    Raises:
        ConfigInvalid: the collector's key is missing or cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.signer: Signer = read_signer(folder / f"{COLLECTOR}.key", "--keys")
        self._known: dict[str, tuple[Verifier | None, float]] = {}

    def verifier(self, device: str) -> Verifier | None:
        """The key of a device; None when there is none that can be used."""
        now = time.monotonic()
        found, until = self._known.get(device, (None, 0.0))
        if now < until or not is_name(device):
            return found
        found = self._read(device)
        if len(self._known) >= _MOST_KNOWN:  # names come from outside
            self._known.clear()
        self._known[device] = (found, now + (_KNOWN_S if found else _ABSENT_S))
        return found

    def _read(self, device: str) -> Verifier | None:
        path = self._folder / DEVICES / f"{device}.pub"
        try:
            return read_verifier(path, "--keys") if path.exists() else None
        except (ConfigInvalid, OSError) as error:
            emit(Event.KEY_REFUSED, device, problem=error)
            return None


class DeviceKeys:
    """The devices' public keys, as the operator's verbs need them: whoever is named must have one.

    Args:
        folder: the operator's.
        unsigned: believe what a device says without its signature.
    """

    def __init__(self, folder: Path, *, unsigned: bool = False) -> None:
        self._folder = folder
        self._unsigned = unsigned

    def verifier(self, device: str) -> Verifier | None:
        """The key of a device; None where no signature is asked for.

        Raises:
            ConfigInvalid: it is missing, or cannot be used.
        """
        path = self._folder / DEVICES / f"{device}.pub"
        return None if self._unsigned else read_verifier(path, "--dir")


def make_keys(folder: Path, devices: Sequence[str] = (), *, from_key: bool = False) -> list[Path]:
    """Make the keys that are not there yet; give the files that were made. Nothing is ever written over.

    Args:
        folder: made when it is not there.
        devices: their names.
        from_key: make a device's public key from its private one, where only that is there. Without a word
            that is not done: the public one may have been taken away, since the device was stolen.

    Raises:
        ConfigInvalid: a device's name is not allowed in a topic, its public key may have been taken away, or
            a private key that is there is none.
        AgentError: the folder cannot be written.
    """
    check_names(devices)
    made: list[Path] = []
    try:
        for one in (folder, folder / DEVICES):
            one.mkdir(mode=0o700, parents=True, exist_ok=True)
        with alone(folder):
            if not from_key:
                _refuse_halves(folder / DEVICES, devices)
            for stem in (folder / COLLECTOR, *(folder / DEVICES / device for device in devices)):
                made += _make_pair(stem)
    except OSError as error:
        problem = error.strerror or str(error)
        raise AgentError("make keys in", str(folder), problem, advice(error)) from error
    return made


def check_names(devices: Sequence[str]) -> None:
    """Refuse names that no device can have.

    Raises:
        ConfigInvalid: one is not allowed in a topic.
    """
    for device in devices:
        if not is_name(device):
            raise ConfigInvalid("make key of", repr(device), "a device cannot be called so", NAME_HINT)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Wait until nobody else makes keys here, and take away what a kill has left half written.

    Afterwards the folder of public keys is as these are.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        for place, stem in ((folder, COLLECTOR), (folder / DEVICES, "*")):
            for ending in ("key", "pub"):  # others write other files here
                for left in place.glob(f".{stem}.{ending}{NEW}"):
                    left.unlink()
        yield
        show(folder)
    finally:
        os.close(descriptor)


def show(folder: Path) -> None:
    """Have DIR/public hold the devices' public keys that count, and nothing else.

    Raises:
        OSError: the disk refuses.
    """
    place = folder / PUBLIC
    place.mkdir(mode=0o700, exist_ok=True)
    wanted = {path.name: path.read_bytes() for path in (folder / DEVICES).glob("*.pub")}
    there = {path.name: path.read_bytes() for path in place.iterdir()}
    for name in there.keys() - wanted.keys():
        (place / name).unlink()
    if new := {place / name: (pem, 0o644) for name, pem in wanted.items() if there.get(name) != pem}:
        write_together(new)


def _refuse_halves(folder: Path, devices: Sequence[str]) -> None:
    for device in devices:
        if (folder / f"{device}.key").exists() and not (folder / f"{device}.pub").exists():
            hint = "If it was stolen, delete that .key, too; if nobody else has it, run again with --from-key"
            raise ConfigInvalid("make key of", device, f"its .key is in {folder}, and its .pub is not", hint)


def _make_pair(stem: Path) -> list[Path]:
    """Make what is missing of one pair: the private key first, from which the public one follows."""
    private, public = stem.with_name(f"{stem.name}.key"), stem.with_name(f"{stem.name}.pub")
    if public.exists():
        return []  # the private key may have left for where it is used
    made = [public]
    if not private.exists():
        write_durably(private, generate()[0])  # before anything is made from it
        made.insert(0, private)
    write_durably(public, read_signer(private, "key").public_pem(), 0o644)
    return made
