"""credentials: a new key for the broker, made on the device, and its certificate. No private key travels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from agent.commands.seams import Answer
from agent.documents.base import Document
from agent.errors import Rejected
from agent.trust.certificates import MOST_BYTES

if TYPE_CHECKING:
    from agent.commands.seams import Order, Reach, Work

SUMMARY = "make a new key for the broker, or go over to the certificate for it"
DEADLINE_S = 120.0


class Args(Document):
    """``request`` gives a request (PKCS #10); ``install`` takes the certificate that was made of it, PEM."""

    step: Literal["request", "install"]
    certificate: Annotated[str, Field(max_length=MOST_BYTES)] = ""


def run(args: Args, order: Order, reach: Reach) -> Answer | Work:
    """Do the step; each may be done again, and goes on where it stood."""
    del order
    if reach.credentials is None:
        hint = "Enrol it with a certificate: edgectl enroll"
        raise Rejected("credentials", reach.device, "this device shows no certificate to its broker", hint)
    if args.step == "request":
        return Answer({"csr": reach.credentials.request()})
    return reach.credentials.install(args.certificate)
