"""Control keys: who may sign desired state; the update metadata brings them, as ``fleet/keys.json``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from agent.documents.base import Document, read
from agent.errors import MessageInvalid

if TYPE_CHECKING:
    from agent.trust.signing import Verifier

TARGET = "fleet/keys.json"
MAX_BYTES = 32 << 10
Scope = Annotated[str, Field(pattern=r"^(desired|command(\.[a-z][a-z0-9-]{0,31})?)$")]
"""What a key's word counts for: desired state; all commands; or one, as ``command.reload``."""


class ControlKey(Document):
    """A public key (PEM, SubjectPublicKeyInfo) and what its owner may sign."""

    pem: Annotated[str, Field(max_length=2000)]
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1, max_length=8)]


class ControlKeys(Document):
    """The keys of one fleet."""

    v: Literal[1] = 1
    keys: Annotated[tuple[ControlKey, ...], Field(max_length=32)] = ()

    def verifiers(self, scope: Scope) -> list[Verifier]:
        """Give the keys whose word counts in ``scope``; ``command`` gives those that may sign any command.

        Raises:
            MessageInvalid: one of them is no Ed25519 key.
        """
        from agent.trust.signing import Verifier

        found = []
        for key in self.keys:
            if any(one == scope or one.startswith(f"{scope}.") for one in key.scopes):
                try:
                    found.append(Verifier.from_pem(key.pem.encode()))
                except ValueError as error:
                    raise MessageInvalid("read", "control keys", str(error)) from error
        return found

    def may(self, key_id: str, op: str) -> bool:
        """Whether a key may sign this command.

        Raises:
            MessageInvalid: one of the keys is no Ed25519 key.
        """
        from agent.trust.signing import Verifier

        scopes = {"command", f"command.{op}"}
        return any(
            scopes & set(key.scopes) and Verifier.from_pem(key.pem.encode()).key_id == key_id
            for key in self.keys
        )


def decode(document: bytes) -> ControlKeys:
    """Read the document, whose bytes are proved already.

    Raises:
        MessageInvalid: it is none.
    """
    return read(ControlKeys, document, "control keys")
