"""Who signs, and whose word counts: the device's key and the collector's, from files or credentials."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import ConfigInvalid
from agent.trust.signing import Signer, Verifier

if TYPE_CHECKING:
    from agent.config import tables

DEVICE_KEY, COLLECTOR_KEY = "device-key", "collector-key"
"""The names of the credentials, for LoadCredential=."""
_ROOT, _MOST_ROOT = "tuf-root", 64 << 10
_MOST_BYTES = 16 << 10
_HINT = "Make keys with: edgectl init DIR --device ID. Or set trust.unsigned = true, and see docs/security.md"


@dataclass(frozen=True, slots=True)
class Trust:
    """What a device proves itself with, and whose acknowledgements it takes; both None when unsigned."""

    signer: Signer | None
    verifier: Verifier | None

    @property
    def signed(self) -> bool:
        """Whether batches and acknowledgements are signed."""
        return self.signer is not None

    @property
    def told(self) -> str:
        """In a line: by which keys, or the warning that there are none."""
        if not (self.signer and self.verifier):
            return "WARNING: not signed, since trust.unsigned is set; see docs/security.md"
        return f"signs as {self.signer.key_id}, takes the word of {self.verifier.key_id}"


def load(table: tables.Trust, folder: Path) -> Trust:
    """Read the keys that the configuration names, or that systemd passed as credentials.

    Args:
        table: the configuration's ``[trust]``.
        folder: where relative paths in it start.

    Raises:
        ConfigInvalid: a key is missing, cannot be read, is of the wrong kind, or lies open to others; or keys
            are given and not to be used.
    """
    private = credential(DEVICE_KEY) or (folder / table.device_key if table.device_key else None)
    public = credential(COLLECTOR_KEY) or (folder / table.collector_key if table.collector_key else None)
    if table.unsigned and (private or public):
        problem, hint = (
            f"there is a key to use: {private or public}",
            "Take unsigned = true away, or the keys",
        )
        raise ConfigInvalid("use", "trust.unsigned", problem, hint)
    if table.unsigned:
        return Trust(None, None)
    if private is None:
        raise ConfigInvalid("use", "trust.device_key", "this device has no key to sign with", _HINT)
    if public is None:
        raise ConfigInvalid("use", "trust.collector_key", "nobody's acknowledgements can be trusted", _HINT)
    return Trust(read_signer(private, "trust.device_key"), read_verifier(public, "trust.collector_key"))


def root_file(table: tables.Models, folder: Path) -> Path | None:
    """Give the file of the root metadata that trust in models starts from; None when there is none.

    Args:
        table: the configuration's ``[models]``.
        folder: where relative paths in it start.
    """
    return credential(_ROOT) or (folder / table.root if table.root else None)


def read_root(table: tables.Models, folder: Path) -> str | None:
    """Read the root metadata that trust in models starts from; None when there is none.

    Raises:
        ConfigInvalid: it cannot be read.
    """
    path = root_file(table, folder)
    if path is None:
        return None
    hint = "Give the fleet's first root metadata: tuf/meta/1.root.json of the operator's folder"
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_ROOT + 1)
        if len(data) > _MOST_ROOT:
            raise ConfigInvalid("read models.root", str(path), "it is too large", hint)
        return data.decode("utf-8")
    except OSError as error:
        raise ConfigInvalid("read models.root", str(path), error.strerror or str(error), hint) from error
    except UnicodeDecodeError as error:
        raise ConfigInvalid("read models.root", str(path), "it is no text", hint) from error


def read_signer(path: Path, what: str) -> Signer:
    """Read a private key that nobody else may read.

    Raises:
        ConfigInvalid: it is missing, unreadable, open to others, or no such key.
    """
    pem = read_key(path, what, private=True)
    try:
        return Signer.from_pem(pem)
    except ValueError as error:
        raise ConfigInvalid("read", f"{what} {path}", str(error), "Give the file that ends in .key") from None


def read_verifier(path: Path, what: str) -> Verifier:
    """Read a public key.

    Raises:
        ConfigInvalid: it is missing, unreadable, or no such key.
    """
    pem = read_key(path, what, private=False)
    try:
        return Verifier.from_pem(pem)
    except ValueError as error:
        raise ConfigInvalid("read", f"{what} {path}", str(error), "Give the file that ends in .pub") from None


def read_key(path: Path, what: str, *, private: bool) -> bytes:
    """Read a key's file as it is.

    Raises:
        ConfigInvalid: it is missing, unreadable, or a private key that is open to others.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            pem = file.read(_MOST_BYTES)
    except OSError as error:
        problem, hint = error.strerror or str(error), "Check the path and its permissions"
        raise ConfigInvalid("read", f"{what} {path}", problem, hint) from error
    if private and b"PRIVATE KEY" in pem and mode & 0o077 and path.parent != _credentials():
        hint = f"Run: chmod 600 {path}"
        raise ConfigInvalid("read", f"{what} {path}", "others may read this private key", hint)
    return pem


def _credentials() -> Path | None:
    folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
    return Path(folder) if folder else None


def credential(name: str) -> Path | None:
    """Give the file of a credential that systemd passed (LoadCredential=); None where there is none."""
    folder = _credentials()
    return folder / name if folder and (folder / name).is_file() else None
