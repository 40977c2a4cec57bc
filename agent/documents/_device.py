"""What the documents that a device signs have in common: whose they are, and how they are proved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from agent.documents.base import Document, Place, read
from agent.errors import WrongSender
from agent.trust import dsse

if TYPE_CHECKING:
    from agent.trust.signing import Signer, Verifier


class OfDevice(Document):
    """A document that a device sends of itself."""

    v: Literal[1] = 1
    fleet: Place
    device: Place

    def check_sender(self, what: str, fleet: str, device: str) -> None:
        """Refuse what another device says.

        Raises:
            WrongSender: it is another device's.
        """
        if (self.fleet, self.device) != (fleet, device):
            raise WrongSender("read", what, f"it is of {self.device} of {self.fleet}")


T = TypeVar("T", bound=OfDevice)


@dataclass(frozen=True, slots=True)
class Sealed(Generic[T]):
    """How documents of one kind, each with its device's signature, are written and read.

    Attributes:
        model: the document.
        kind: the payload's media type, which the signature is bound to.
        what: what errors call it.
        most: bytes of the largest message.
    """

    model: type[T]
    kind: str
    what: str
    most: int

    def encode(self, document: T, signer: Signer | None) -> bytes:
        """Make the message; without a signer it is unsigned."""
        return dsse.seal(self.kind, document.model_dump_json().encode(), *([signer] if signer else []))

    def decode(self, payload: bytes, verifier: Verifier | None, *, fleet: str, device: str) -> T:
        """Read the message; without a verifier it is taken unproven.

        Raises:
            NotSigned: the device's key has not signed it.
            WrongSender: it is another device's.
            MessageInvalid: it is no such document.
        """
        keys = None if verifier is None else [verifier]
        document = dsse.unseal(payload, self.kind, keys, what=self.what, most=self.most)
        found = read(self.model, document, self.what)
        found.check_sender(self.what, fleet, device)
        return found
