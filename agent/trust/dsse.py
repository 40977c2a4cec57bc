"""DSSE envelopes: a document with signatures beside it, which are proved before anything looks into it.

https://github.com/secure-systems-lab/dsse/blob/master/envelope.md: ``{"payloadType", "payload": base64,
"signatures": [{"keyid", "sig"}]}``. What is signed names the payload's type, so that no document of one kind
passes for one of another.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Annotated

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.errors import MessageInvalid, NotSigned
from agent.validation import first_problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.trust.signing import Signer, Verifier

_MOST_SIGNATURES = 4


class _Signature(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)

    keyid: Annotated[str, Field(max_length=64)] = ""
    sig: Annotated[str, Field(max_length=128)]


class _Envelope(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)

    payloadType: str  # noqa: N815 - the standard's name
    payload: str
    signatures: Annotated[tuple[_Signature, ...], Field(max_length=_MOST_SIGNATURES)]


def seal(kind: str, document: bytes, *signers: Signer) -> bytes:
    """Put a document into an envelope, signed by each of ``signers``; by none it is unsigned.

    Args:
        kind: the payload's media type.
        document: the payload.
        signers: at most four.
    """
    signatures = [{"keyid": signer.key_id, "sig": _base64(signer.sign(kind, document))} for signer in signers]
    return orjson.dumps({"payloadType": kind, "payload": _base64(document), "signatures": signatures})


def unseal(
    envelope: bytes, kind: str, verifiers: Sequence[Verifier] | None, *, what: str, most: int
) -> bytes:
    """Take the document out of its envelope, once one of its signatures is proved.

    Args:
        envelope: the message.
        kind: what the payload's media type must be.
        verifiers: the keys whose word counts, one is enough; None takes the document unproven.
        what: what errors call the document.
        most: bytes of the largest envelope.

    Raises:
        NotSigned: no signature is by one of these keys.
        MessageInvalid: it is too large, no envelope, or of another kind.
    """
    return opened(envelope, kind, verifiers, what=what, most=most)[0]


def opened(
    envelope: bytes, kind: str, verifiers: Sequence[Verifier] | None, *, what: str, most: int
) -> tuple[bytes, str]:
    """As ``unseal``; give also the id of the key that has signed it, "" for a document taken unproven."""
    if len(envelope) > most:
        raise MessageInvalid("read", what, f"{len(envelope)} bytes, and {most} is the most")
    try:
        found = _Envelope.model_validate_json(envelope)
        document = base64.b64decode(found.payload, validate=True)
    except ValidationError as error:
        raise MessageInvalid("read", what, first_problem(error)) from error
    except ValueError as error:  # of binascii; of str, where it is not ASCII
        raise MessageInvalid("read", what, "its payload is not base64") from error
    if found.payloadType != kind:
        raise MessageInvalid("read", what, f"it is no {what}")
    return document, "" if verifiers is None else _prove(found, document, kind, verifiers, what)


def _prove(envelope: _Envelope, document: bytes, kind: str, verifiers: Sequence[Verifier], what: str) -> str:
    """Find one signature that holds; give its key's id: what the envelope calls it is only a hint (DSSE)."""
    problem: NotSigned | None = None
    for signature in envelope.signatures:
        try:
            raw = base64.b64decode(signature.sig, validate=True)
        except ValueError as error:
            problem = NotSigned("verify", what, f"its signature is not base64: {error}")
            continue
        for verifier in verifiers:
            try:
                verifier.verify(kind, document, raw)
            except NotSigned as error:
                problem = error
            else:
                return verifier.key_id
    raise problem or NotSigned("verify", what, "it is not signed")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
