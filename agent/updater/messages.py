"""What the supervisor tells an updater process, and what that tells back: JSON, one message a packet."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from agent.manifest import Name, Sha256, Version
from agent.processes.message import Count, Flat, Message, Word, read

Floor = Annotated[str, Field(pattern=r"^(clock$|tuf/)", max_length=200)]
"""No other floor is an updater's business."""


class Ask(Message):
    """A bundle to fetch."""

    name: Name
    version: Version


class Held(Ask):
    """A bundle that serves."""

    digest: Sha256


class UpdaterSpec(Message):
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
    floors: dict[str, Count] = Field(default={})
    """The lowest versions of the metadata that are taken, by name; and `clock`, seconds since 1970."""
    ask: tuple[Ask, ...] = ()
    serving: tuple[Held, ...] = ()
    """Bundles that serve: whether the metadata still vouches for them is told."""
    keep: tuple[Sha256, ...] = ()
    """Digests of bundles that must stay; all others may be deleted to make room."""
    policy: str = ""
    """The last proved policy, as JSON; "" for none. A newer one replaces it before bundles are judged."""
    max_bytes: Count = 1 << 30
    window: Annotated[int, Field(ge=1, le=16)] = 4


class Refreshed(Message):
    """The metadata is proved. Floors must be durable before anything that it vouches for is used."""

    type: Literal["refreshed"] = "refreshed"
    floors: Annotated[dict[Floor, Count], Field(max_length=64)]
    root: Count
    timestamp: Count
    expires: Count
    """Of the timestamp, seconds since 1970."""


class Brought(Message):
    """A small document, proved: `fleet/keys.json` or `fleet/policy.json`; "" when it was withdrawn."""

    type: Literal["document"] = "document"
    name: Word
    body: Annotated[str, Field(max_length=40 << 10)]


class Withdrawn(Message):
    """Of the bundles that serve, those that the metadata no longer vouches for."""

    type: Literal["withdrawn"] = "withdrawn"
    digests: Annotated[tuple[Sha256, ...], Field(max_length=256)]


class Progress(Message):
    """How far a bundle is: bytes that are there and proved, and bytes in all; about once a second."""

    type: Literal["progress"] = "progress"
    name: Word
    version: Word
    done: Count
    total: Count


class Fetched(Message):
    """A bundle is on disk, whole and proved, at `bundles/<digest>`."""

    type: Literal["fetched"] = "fetched"
    name: Word
    version: Word
    digest: Sha256
    size: Count
    fetched: Count
    """Bytes that came just now; the others were there already."""


class Failed(Flat):
    """One bundle, or with an empty `name` the refresh, failed.

    `error` is the class: `FetchFailed` and `LinkLost` are worth another try, so is `MetadataRefused` later,
    `BundleRefused` is final.
    """

    type: Literal["failed"] = "failed"
    name: Word = ""
    version: Word = ""


class Done(Message):
    """The updater has done all that it could, and ends."""

    type: Literal["done"] = "done"


FromUpdater = Refreshed | Brought | Withdrawn | Progress | Fetched | Failed | Done
_from_updater: TypeAdapter[FromUpdater] = TypeAdapter(Annotated[FromUpdater, Field(discriminator="type")])


def parse(packet: bytes) -> FromUpdater:
    """Read an updater's packet.

    Raises:
        MessageInvalid: it is not one of the messages above.
    """
    return read(_from_updater, packet, "from updater")
