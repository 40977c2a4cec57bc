"""What the supervisor tells an updater process, and what that tells back: JSON, one message a packet."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from agent import errors
from agent.errors import AgentError, BundleRefused, MessageInvalid
from agent.manifest import Name, Sha256, Version
from agent.validation import first_problem

Count = Annotated[int, Field(ge=0, lt=1 << 53)]
Word = Annotated[str, Field(max_length=200)]
Text = Annotated[str, Field(max_length=4000)]
Floor = Annotated[str, Field(pattern=r"^(clock$|tuf/)", max_length=200)]
"""No other floor is an updater's business."""


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Ask(_Message):
    """A bundle to fetch."""

    name: Name
    version: Version


class UpdaterSpec(_Message):
    """What an updater is to do; it arrives in a memfd, since it holds the broker's password.

    It proves the metadata, then fetches the documents, then each bundle that is asked for and not there.
    """

    fleet: str
    device: str
    broker: dict[str, Any] | None
    """Fields of `LinkSettings`; None: only the mirror."""
    mirror: str = ""
    folder: str
    """The data folder's part for models: `tuf/`, `bundles/<digest>/` and `incoming/` lie in it."""
    root: str
    """The root metadata that trust starts from, as text."""
    floors: dict[str, Count] = {}
    """The lowest versions of the metadata that are taken, by name; and `clock`, seconds since 1970."""
    ask: tuple[Ask, ...] = ()
    keep: tuple[Sha256, ...] = ()
    """Digests of bundles that must stay; all others may be deleted to make room."""
    policy: str = ""
    """The last proved policy, as JSON; "" for none. A newer one replaces it before bundles are judged."""
    max_bytes: Count = 1 << 30
    window: Annotated[int, Field(ge=1, le=16)] = 4


class Refreshed(_Message):
    """The metadata is proved. Floors must be durable before anything that it vouches for is used."""

    type: Literal["refreshed"] = "refreshed"
    floors: Annotated[dict[Floor, Count], Field(max_length=64)]
    root: Count
    timestamp: Count
    expires: Count
    """Of the timestamp, seconds since 1970."""


class Brought(_Message):
    """A small document, proved: `fleet/keys.json` or `fleet/policy.json`; "" when it was withdrawn."""

    type: Literal["document"] = "document"
    name: Word
    body: Annotated[str, Field(max_length=40 << 10)]


class Progress(_Message):
    """How far a bundle is: bytes that are there and proved, and bytes in all; about once a second."""

    type: Literal["progress"] = "progress"
    name: Word
    version: Word
    done: Count
    total: Count


class Fetched(_Message):
    """A bundle is on disk, whole and proved, at `bundles/<digest>`."""

    type: Literal["fetched"] = "fetched"
    name: Word
    version: Word
    digest: Sha256
    size: Count
    fetched: Count
    """Bytes that came just now; the others were there already."""


class Failed(_Message):
    """One bundle, or with an empty `name` the refresh, failed: one of our errors, flattened to text.

    `error` is the class: `FetchFailed` and `LinkLost` are worth another try, so is `MetadataRefused` later,
    `BundleRefused` is final.
    """

    type: Literal["failed"] = "failed"
    name: Word = ""
    version: Word = ""
    error: Word
    op: Text
    subject: Text
    problem: Text
    hint: Text = ""
    rule: Word = ""


class Done(_Message):
    """The updater has done all that it could, and ends."""

    type: Literal["done"] = "done"


FromUpdater = Refreshed | Brought | Progress | Fetched | Failed | Done
_from_updater: TypeAdapter[FromUpdater] = TypeAdapter(Annotated[FromUpdater, Field(discriminator="type")])


def parse(packet: bytes) -> FromUpdater:
    """Read an updater's packet.

    Raises:
        MessageInvalid: it is not one of the messages above.
    """
    try:
        return _from_updater.validate_json(packet)
    except ValidationError as error:
        raise MessageInvalid("read packet", "from updater", first_problem(error)) from error


def failed(error: AgentError, name: str = "", version: str = "") -> Failed:
    """Make a message of an error."""
    return Failed(
        name=name,
        version=version,
        error=type(error).__name__,
        op=error.op[:4000],
        subject=error.subject[:4000],
        problem=error.problem[:4000],
        hint=error.hint[:4000],
        rule=error.rule if isinstance(error, BundleRefused) else "",
    )


def error_of(message: Failed) -> AgentError:
    """Make the error again, of its own class where that is one of ours."""
    if message.error == "BundleRefused":
        parts = (message.op, message.subject, message.problem, message.hint)
        return BundleRefused(*parts, rule=message.rule)
    kind = getattr(errors, message.error, AgentError)
    if not (isinstance(kind, type) and issubclass(kind, AgentError)):
        kind = AgentError
    return kind(message.op, message.subject, message.problem, message.hint)
