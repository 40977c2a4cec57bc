"""The JSON documents in a recording: what it is of, what each frame is, and what a model said of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.recordings.members import damaged
from agent.validation import first_problem

if TYPE_CHECKING:
    from collections.abc import Iterable

FORMAT = "edge-agent recording"
VERSION = 1
HEAD, RESULTS, RECORDS = "recording.json", "results.json", "results.ndjson"
MAX_DOCUMENT = 64 << 10
"""Bytes of one JSON document, or of one line of results."""
MAX_FRAME = 304 << 20
"""Bytes of one frame's file: an array of 100 million numbers of 8 bits, three times."""
MAX_RECORDS = 256 << 20
"""Bytes of all results."""
MAX_FRAMES = 1 << 20
"""Frames of a recording; a camera of 30 frames a second has as many after ten hours."""

Count = Annotated[int, Field(ge=0, lt=1 << 53)]
Stamp = Annotated[int, Field(ge=0, lt=1 << 62)]
Word = Annotated[str, Field(max_length=200)]
Place = Annotated[str, Field(max_length=4096, pattern=r"^[^\x00]*$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
D = TypeVar("D", bound="_Document")


class _Document(BaseModel):
    """Frozen; unknown keys are refused: another version has another number."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Head(_Document):
    """What the recording is of: ``recording.json``, its first member."""

    format: Literal["edge-agent recording"] = "edge-agent recording"
    version: Literal[1] = 1
    agent: Word
    """The version of the agent that made it."""
    made: Word
    """When, by this device's clock: ISO 8601, UTC."""
    source: Word
    """The source's kind; its options are left out, as they may hold a password."""
    pipeline: Word = ""
    """The pipeline whose source it was, where there was one."""
    live: bool
    """Whether the source loses what is not read in time."""
    hidden: Annotated[int, Field(ge=0, le=1000)] = 0
    """How many regions of each frame were hidden before it was written."""


class FrameNote(_Document):
    """One frame: ``frames/NUMBER.json``, before the frame's own file."""

    seq: Count
    """Its number in its source."""
    captured_ns: Stamp
    """CLOCK_MONOTONIC at capture, nanoseconds."""
    origin: Annotated[str, Field(max_length=4096)] = ""
    """Where a recorded frame came from."""
    suffix: Literal[".png", ".jpg", ".npy", ".csv", ""] = ""
    """What ends the name of the frame's file: a picture, an array, a table; "" for a frame without one."""
    sha256: Digest | Literal[""] = ""
    """The digest of that file."""
    problem: Annotated[str, Field(max_length=4000)] = ""
    """Why the source could not give this frame; then there is no file."""


class Reference(_Document):
    """What computed the results: where all of it is the same, the same results are expected, to the bit."""

    runtime: Word
    delegate: Word
    machine: Word
    """What ``uname -m`` says."""
    cpu: Word = ""
    """What the processor calls itself."""
    opencv: Word = ""
    """The version of what decodes and scales pictures."""


class Results(_Document):
    """What the results are of: ``results.json``, before ``results.ndjson``."""

    made: Word
    model: Word
    """Name and version."""
    path: Place
    """Where it was loaded from: a bundled model's name, a folder or a file."""
    sha256: Digest
    bundle: Word = ""
    task: Word
    decoder: dict[str, Any] = {}
    """Options of the decoder, over those of the model's manifest."""
    labels: Place = ""
    """The file with class names, over those of the model."""
    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """By how much a number of a result may be off, where something of the reference is another."""
    reference: Reference


class Outcome(_Document):
    """What the model said of one frame: a line of ``results.ndjson``."""

    frame: Count
    """The frame's number in the recording."""
    kind: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
    """The result's kind; "failed" where there is none."""
    items: list[dict[str, Any]]


def parse(kind: type[D], data: bytes, name: str, path: str) -> D:
    """Read a document of the recording at ``path``.

    Raises:
        InputRejected: it is none of this kind.
    """
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        raise damaged(path, f"{name}: {first_problem(error)}") from error


def write(document: BaseModel) -> bytes:
    """Give a document as one line of JSON, without what says nothing."""
    return document.model_dump_json(exclude_defaults=False).encode()


def lines(documents: Iterable[BaseModel]) -> bytes:
    """Give documents as lines of JSON."""
    return b"".join(write(one) + b"\n" for one in documents)
