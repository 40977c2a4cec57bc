"""The operator's signing keys: DIR/<name>.key, encrypted, each with its public half in clear above it.

root-1, root-2, root-3     two of them vouch for all the others; they belong on three media, away from here
targets                    vouches for those of models and fleet
models, fleet              sign which bundles there are, and the fleet's documents
online                     signs how new all this is, every day
control                    signs desired state

A key that is to replace another lies beside it as <name>.next until the metadata names it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agent.errors import ConfigInvalid
from agent.files import NEW, sync_folder, write_durably
from agent.fleet.repository.passphrase import passphrase
from agent.trust.keys import read_key
from agent.trust.signing import Signer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
    from securesystemslib.signer import CryptoSigner, SSlibKey

__all__ = ["NAMES", "ROOTS", "Keystore", "passphrase", "signer"]

ROOTS = ("root-1", "root-2", "root-3")
NAMES = (*ROOTS, "targets", "models", "fleet", "online", "control")
NEXT = ".next"
_FIRST = re.compile(rb"\Apublic ([0-9a-f]{64})\r?\n")


class Keystore:
    """The keys in one folder, opened when they are needed. What they are never shows.

    Args:
        folder: the operator's.
        ask: gives the passphrase; called once, when the first key is opened.
    """

    def __init__(self, folder: Path, ask: Callable[[], str]) -> None:
        self._folder = folder
        self._ask = ask
        self._passphrase: str | None = None
        self._open: dict[bytes, Ed25519PrivateKey] = {}

    def path(self, name: str) -> Path:
        """Where a key lies: one of ``NAMES``, or one with ``NEXT`` behind it."""
        return self._folder / f"{name}.key"

    def has(self, name: str) -> bool:
        """Whether a key's file is here: a root key may be on a medium of its own."""
        return self.path(name).exists()

    def public(self, name: str) -> SSlibKey:
        """Give the public half of a key, without opening it.

        Raises:
            ConfigInvalid: the key is missing, or the file is none.
        """
        from securesystemslib.signer import SSlibKey

        return SSlibKey.from_crypto(self.public_key(name))

    def public_key(self, name: str) -> Ed25519PublicKey:
        """Give the public half of a key as such.

        Raises:
            ConfigInvalid: as for ``public``.
        """
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        return Ed25519PublicKey.from_public_bytes(self._told(name, self._read(name)))

    def public_pem(self, name: str) -> str:
        """Give the public half of a key as PEM (SubjectPublicKeyInfo).

        Raises:
            ConfigInvalid: as for ``public``.
        """
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        key = self.public_key(name)
        return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def tuf(self, name: str) -> CryptoSigner:
        """Open a key that signs metadata.

        Raises:
            ConfigInvalid: the key is missing, the file is none, or the passphrase does not open it.
        """
        from securesystemslib.signer import CryptoSigner

        return CryptoSigner(self._opened(name))

    def control(self, name: str = "control") -> Signer:
        """Open the key that signs desired state.

        Raises:
            ConfigInvalid: as for ``tuf``.
        """
        return Signer(self._opened(name))

    def make(self, names: Sequence[str]) -> list[Path]:
        """Make new keys; an existing file is never written over.

        Raises:
            ConfigInvalid: there is no passphrase.
            OSError: the folder cannot be written.
        """
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        from agent.fleet.repository.pkcs8 import Sealer

        self._folder.mkdir(mode=0o700, exist_ok=True)
        made = [self.path(name) for name in names if not self.has(name)]
        if not made:
            return []
        sealer = Sealer(self._secret())
        for path in made:
            key = Ed25519PrivateKey.generate()
            raw = key.public_key().public_bytes_raw()
            write_durably(path, b"public %s\n%s" % (raw.hex().encode(), sealer.seal(key)))
            self._open[raw] = key
        return made

    def settle(self, name: str) -> None:
        """Let the next key of this name take its place.

        Raises:
            OSError: the disk refuses.
        """
        self.path(name + NEXT).rename(self.path(name))
        sync_folder(self._folder)

    def drop(self, name: str) -> None:
        """Forget a next key that no metadata names.

        Raises:
            OSError: the disk refuses.
        """
        self.path(name + NEXT).unlink()

    def sweep(self) -> None:
        """Take away what a kill has left half written.

        Raises:
            OSError: the disk refuses.
        """
        for name in NAMES:  # others make other keys in this folder
            for one in (name, name + NEXT):
                (self._folder / f".{one}.key{NEW}").unlink(missing_ok=True)

    def _secret(self) -> str:
        if self._passphrase is None:
            self._passphrase = self._ask()
        return self._passphrase

    def _opened(self, name: str) -> Ed25519PrivateKey:
        from agent.fleet.repository.pkcs8 import unseal

        pem = self._read(name)
        raw = self._told(name, pem)
        if raw not in self._open:
            subject = f"key {self.path(name)}"
            try:
                key = unseal(pem, self._secret())
            except ValueError as error:
                hint = "Check the passphrase" if "passphrase" in str(error) else "Put the right file there"
                raise ConfigInvalid("open", subject, str(error), hint) from None
            if key.public_key().public_bytes_raw() != raw:
                problem = "its first line names another key"
                raise ConfigInvalid("open", subject, problem, "Put the right file there")
            self._open[raw] = key
        return self._open[raw]

    def _read(self, name: str) -> bytes:
        path = self.path(name)
        if not path.exists():
            hint = f"Put {path.name} there for as long as it is needed, with mode 0600"
            raise ConfigInvalid("open", f"key {path}", "it is not here", hint)
        return read_key(path, "key", private=True)

    def _told(self, name: str, pem: bytes) -> bytes:
        """Read the public half from the first line; whoever opens the key compares the two."""
        found = _FIRST.match(pem)
        if not found:
            hint = "Put the file there that edgectl init has made"
            raise ConfigInvalid("read", f"key {self.path(name)}", "its first line names no public key", hint)
        return bytes.fromhex(found[1].decode())


def signer(folder: Path, name: str, secret: str) -> Signer:
    """Open a key that signs documents: "control".

    Args:
        folder: the operator's.
        name: the key's.
        secret: the passphrase.

    Raises:
        ConfigInvalid: the key is missing, the file is none, or the passphrase does not open it.
    """
    return Keystore(folder, lambda: secret).control(name)
