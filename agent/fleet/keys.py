"""The operator's folder of keys: the collector's own, and the public ones of the devices.

DIR/collector.key          signs acknowledgements; for the collector alone
DIR/collector.pub          goes to every device
DIR/devices/<id>.key       goes to that device, and need not stay here
DIR/devices/<id>.pub       proves that a batch is that device's
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from agent.errors import AgentError, ConfigInvalid
from agent.link.topics import is_name
from agent.signing import Verifier, generate
from agent.trust import read_signer, read_verifier

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from agent.signing import Signer

COLLECTOR = "collector"
DEVICES = "devices"
_ABSENT_S = 10.0
"""How long a device without a key is believed to have none."""
_MOST_KNOWN = 100_000
_MOST_ABSENT = 10_000


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
        self._known: dict[str, Verifier] = {}
        self._absent: dict[str, float] = {}

    def verifier(self, device: str) -> Verifier | None:
        """The key of a device; None when there is none that can be used."""
        if (found := self._known.get(device)) is not None:
            return found
        now = time.monotonic()
        if now < self._absent.get(device, 0.0) or not is_name(device):
            return None
        try:
            found = read_verifier(self._folder / DEVICES / f"{device}.pub", "--keys")
        except ConfigInvalid:
            if len(self._absent) >= _MOST_ABSENT:  # names come from outside
                self._absent.clear()
            self._absent[device] = now + _ABSENT_S
            return None
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[device] = found
        return found


def make_keys(folder: Path, devices: Sequence[str] = ()) -> list[Path]:
    """Make the keys that are not there yet; give the files that were made. Nothing is ever written over.

    Raises:
        ConfigInvalid: a device's name is not allowed in a topic.
        AgentError: the folder cannot be written.
    """
    for device in devices:
        if not is_name(device):
            hint = "Use at most 63 of a-z, 0-9, '-' and '_', with a letter or digit first"
            raise ConfigInvalid("make key of", repr(device), "a device cannot be called so", hint)
    made: list[Path] = []
    try:
        (folder / DEVICES).mkdir(mode=0o700, parents=True, exist_ok=True)
        for stem in (folder / COLLECTOR, *(folder / DEVICES / device for device in devices)):
            made += _make_pair(stem)
    except OSError as error:
        problem = error.strerror or str(error)
        raise AgentError("make keys in", str(folder), problem, "Name a folder that you may write") from error
    return made


def _make_pair(stem: Path) -> list[Path]:
    """Make one pair: the public key first, so that a private one that is there always has its other half."""
    private, public = stem.with_name(f"{stem.name}.key"), stem.with_name(f"{stem.name}.pub")
    if private.exists() or (public.exists() and stem.parent.name == DEVICES):
        return []  # a device's private key may have left for its device
    private_pem, public_pem = generate()
    _write(public, public_pem, 0o644)
    _write(private, private_pem, 0o600)
    return [private, public]


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write a file that is there whole or not at all."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    new.rename(path)
