"""Which keys sign which role, while some of them are being replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.documents import keys as documents
from agent.documents.keys import ControlKey, ControlKeys
from agent.errors import ConfigInvalid
from agent.fleet.repository.keystore import NAMES, NEXT, ROOTS
from agent.fleet.repository.roles import DELEGATED, THRESHOLD, key_names

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner, SSlibKey

    from agent.fleet.repository.keystore import Keystore
    from agent.fleet.repository.metadata import Roles

CONTROL = "control"


class Signers:
    """The keys of a repository. A new one lies beside the old until the metadata that names it is written.

    Args:
        keys: the operator's.
        roles: the metadata.
    """

    def __init__(self, keys: Keystore, roles: Roles) -> None:
        self._keys = keys
        self._roles = roles
        self._fresh: set[str] = set()
        self._root_ids: list[str] = []

    def know_root(self) -> None:
        """Take the root keys of the metadata as it stands for those that must sign the next root."""
        self._root_ids = list(self._roles.root.roles["root"].keyids)

    def public(self, name: str) -> SSlibKey:
        """Give the public half of a key, of the new one where there is one.

        Raises:
            ConfigInvalid: it is missing, or the file is none.
        """
        return self._keys.public(self._newest(name))

    def of(self, role: str) -> list[CryptoSigner]:
        """Open the keys that sign a role.

        Raises:
            ConfigInvalid: one is missing, or the passphrase does not open it.
        """
        if role == "root":
            fresh = [name + NEXT for name in ROOTS[:THRESHOLD] if name in self._fresh]
            return [self._keys.tuf(name) for name in (*self.roots(), *fresh)]
        (name,) = key_names(role)
        return [self._keys.tuf(self._newest(name))]

    def roots(self) -> list[str]:
        """Give as many of the root keys that count as must sign.

        Raises:
            ConfigInvalid: too few of them are here.
        """
        here = [n for n in ROOTS if self._keys.has(n) and self._keys.public(n).keyid in self._root_ids]
        if len(here) < THRESHOLD:
            problem = f"{THRESHOLD} of {', '.join(ROOTS)} must be here, and {len(here)} of them are"
            hint = "Put their files there for as long as it takes, with mode 0600"
            raise ConfigInvalid("sign", f"root with {self._keys.path('root-N')}", problem, hint)
        return here[:THRESHOLD]

    def replace(self, *names: str) -> None:
        """Make new keys, which count from the next commit on.

        Raises:
            ConfigInvalid: there is no passphrase.
            OSError: the disk refuses.
        """
        self._keys.make([name + NEXT for name in names])
        self._fresh |= set(names)

    def settle(self) -> None:
        """Let the new keys take the place of the old ones: the metadata that names them is written.

        Raises:
            OSError: the disk refuses.
        """
        for name in sorted(self._fresh):
            self._keys.settle(name)
        self._fresh.clear()
        self.know_root()

    def repair(self, control: bytes | None) -> None:
        """See to new keys that a kill has left: those that the metadata names take their place, others go.

        Args:
            control: the document of control keys that counts.

        Raises:
            ConfigInvalid: a key's file is none.
            OSError: the disk refuses.
        """
        self._keys.sweep()
        for name in NAMES:
            if self._keys.has(name + NEXT):
                if self._counts(name, control):
                    self._keys.settle(name)
                else:
                    self._keys.drop(name)

    def control_keys(self) -> bytes:
        """Make the document that vouches for the control key.

        Raises:
            ConfigInvalid: it is missing, or the file is none.
        """
        pem = self._keys.public_pem(self._newest(CONTROL))
        key = ControlKey(pem=pem, scopes=("desired", "command"))
        return ControlKeys(keys=(key,)).model_dump_json().encode()

    def _newest(self, name: str) -> str:
        return name + NEXT if name in self._fresh else name

    def _counts(self, name: str, control: bytes | None) -> bool:
        """Whether the metadata that counts names the next key of this name."""
        if name == CONTROL:
            known = documents.decode(control).keys if control else ()
            return self._keys.public_pem(name + NEXT) in {one.pem for one in known}
        role = "root" if name in ROOTS else "timestamp" if name == "online" else name
        above = self._roles.targets("targets") if role in DELEGATED else self._roles.root
        return self._keys.public(name + NEXT).keyid in above.get_delegated_role(role).keyids
