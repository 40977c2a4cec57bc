"""Control keys: who may sign desired state; the update metadata brings them, as ``fleet/keys.json``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from agent.documents._base import Document, read
from agent.errors import MessageInvalid

if TYPE_CHECKING:
    from agent.signing import Verifier

TARGET = "fleet/keys.json"
MAX_BYTES = 32 << 10
Scope = Literal["desired", "command"]


class ControlKey(Document):
    """A public key (PEM, SubjectPublicKeyInfo) and what its owner may sign."""

    pem: Annotated[str, Field(max_length=2000)]
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1, max_length=8)]


class ControlKeys(Document):
    """The keys of one fleet."""

    v: Literal[1] = 1
    keys: Annotated[tuple[ControlKey, ...], Field(max_length=32)] = ()

    def verifiers(self, scope: Scope) -> list[Verifier]:
        """Give the keys whose word counts in ``scope``.

        Raises:
            MessageInvalid: one of them is no Ed25519 key.
        """
        from agent.signing import Verifier

        found = []
        for key in self.keys:
            if scope in key.scopes:
                try:
                    found.append(Verifier.from_pem(key.pem.encode()))
                except ValueError as error:
                    raise MessageInvalid("read", "control keys", str(error)) from error
        return found


def decode(document: bytes) -> ControlKeys:
    """Read the document, whose bytes are proved already.

    Raises:
        MessageInvalid: it is none.
    """
    return read(ControlKeys, document, "control keys")
