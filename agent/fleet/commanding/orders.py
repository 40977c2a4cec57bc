"""Commands as they are sent: one id for all whom one is for, an envelope for each audience."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.documents import command, keys
from agent.documents.command import BARE, MAX_BYTES, Command
from agent.errors import ConfigInvalid, MessageInvalid
from agent.fleet.commanding.counters import numbered
from agent.fleet.repository.keystore import Keystore
from agent.link import topics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from agent.trust.signing import Signer

CONTROL = "control"


@dataclass(frozen=True, slots=True)
class Letter:
    """A signed command, and where it is sent."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Order:
    """One thing to be done, in as many letters as it has audiences.

    A device that hears several of them does it once: it knows the id, and refuses what else bears that.

    Attributes:
        id: what outcomes name.
        op: what is to be done.
        letters: by audience: ``d/<device>``, ``g/<group>`` or ``all``.
    """

    id: str
    op: str
    letters: Mapping[str, Letter]


class Pen:
    """Signs commands with the control key of a folder.

    Args:
        folder: the operator's, or a colleague's: one with a key and without a repository.
        fleet: whose devices are meant.
        passphrase: gives that of the key; asked when it is opened first.
    """

    def __init__(self, folder: Path, fleet: str, passphrase: Callable[[], str]) -> None:
        self._folder = folder
        self._fleet = fleet
        self._keys = Keystore(folder, passphrase)
        self._signer: Signer | None = None

    def check(self, op: str) -> None:
        """Refuse what no device would take our word for, as far as the repository here can tell.

        Raises:
            ConfigInvalid: the key is missing, or the metadata does not give it this command.
            MetadataRefused: the repository is damaged.
        """
        from agent.fleet.repository.repository import Repository
        from agent.fleet.repository.roles import KEYS

        repository = Repository(self._folder, str)
        if not repository.tree.there:
            return
        repository.roles.load()  # only read: who publishes just now is not disturbed
        document = repository.document(KEYS)
        known = keys.decode(document) if document else keys.ControlKeys()
        if not known.may(_key_id(self._keys), op):
            problem = f"no device takes its word for {op}: fleet/keys.json does not say so"
            hint = "See edgectl keys list; if the key was replaced just now, run this again"
            raise ConfigInvalid("sign with", f"key {self._keys.path(CONTROL)}", problem, hint)

    def write(
        self,
        op: str,
        args: Mapping[str, Any],
        audiences: Sequence[str],
        *,
        now_s: float,
        expires_s: float,
        bare: bool = False,
    ) -> Order:
        """Number, date and sign a command for each of its audiences.

        Args:
            op: what is to be done.
            args: how; JSON.
            audiences: for whom.
            now_s: wall time, seconds since 1970.
            expires_s: so long it may be begun, seconds.
            bare: sign nothing: for what anybody may ask.

        Raises:
            ConfigInvalid: the key is missing, or the passphrase does not open it.
            MessageInvalid: the arguments are too large, or no JSON; or this must be signed.
            AgentError: the folder cannot be written.
        """
        if bare and op not in BARE:
            problem, hint = "devices take it only signed", f"Unsigned may go: {', '.join(sorted(BARE))}"
            raise MessageInvalid("send", op, problem, hint)
        signers = () if bare else (self._opened(),)
        now = int(now_s)
        first = now if bare else numbered(self._folder, len(audiences), int(now_s * 1e6))
        identity = f"{op[:20]}-{secrets.token_hex(8)}"
        letters = {}
        for n, audience in enumerate(audiences):
            document = Command(
                fleet=self._fleet,
                audience=audience,
                id=identity,
                counter=first + n,
                issued=now,
                expires=now + math.ceil(expires_s),
                op=op,
                args=dict(args),
            )
            payload = command.encode(document, *signers)
            if len(payload) > MAX_BYTES:
                raise MessageInvalid("send", op, f"{len(payload)} bytes, and devices take {MAX_BYTES}")
            letters[audience] = Letter(topic_of(self._fleet, audience), payload)
        return Order(identity, op, letters)

    def _opened(self) -> Signer:
        if self._signer is None:
            self._signer = self._keys.control()
        return self._signer


def topic_of(fleet: str, audience: str) -> str:
    """Give the topic on which an audience hears commands."""
    kind, _, name = audience.partition("/")
    if kind == "d":
        return topics.down_cmd(fleet, name)
    return topics.group_cmd(fleet, name) if kind == "g" else topics.all_cmd(fleet)


def _key_id(keystore: Keystore) -> str:
    from agent.trust.signing import Verifier

    return Verifier.from_pem(keystore.public_pem(CONTROL).encode()).key_id
