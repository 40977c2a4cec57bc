"""What a worker and its supervisor say to each other: JSON in one packet, checked at the border.

The worker runs native code on untrusted pixels, so the supervisor believes nothing that does not validate.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from agent.histogram import LONGEST_US, MOST_BUCKETS, Histogram
from agent.ledger import Ledger
from agent.processes.message import Count, Flat, Message, Text, Word, read
from agent.workers.camera_messages import Refused, Unwell, Well
from agent.workers.media_messages import Medium, Picture, Unpictured
from agent.workers.record import Record, Stamp

Frames = Annotated[int, Field(ge=0, lt=1 << 40)]
"""More than one worker sees in a thousand years: sums over all that follow it still fit 64 bits."""
Digest = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]
"""A bundle's digest; "" for a model that came in none."""


class Counts(Message):
    """A ledger, on the wire."""

    captured: Frames = 0
    inferred: Frames = 0
    filtered: dict[Word, Frames] = Field(default={}, max_length=32)
    gated: Frames = 0
    dropped: dict[Word, Frames] = Field(default={}, max_length=32)
    failed: dict[Word, Frames] = Field(default={}, max_length=32)
    in_flight: Frames = 0

    def ledger(self) -> Ledger:
        """The same as a ledger; a worker cannot declare its own losses."""
        return Ledger(
            captured=self.captured,
            inferred=self.inferred,
            filtered=self.filtered,
            gated=self.gated,
            dropped=self.dropped,
            failed=self.failed,
            in_flight=self.in_flight,
        )


class Confined(Message):
    """What the kernel holds a worker to."""

    landlock: Annotated[int, Field(ge=0, le=1000)] = 0
    """The ABI that is in force; 0 for none."""
    seccomp: bool = False


class _Facts(Message):
    """Which model runs on what."""

    model: Word
    sha256: Word
    bundle: Digest = ""
    task: Word
    runtime: Word
    delegate: Word
    delegated: tuple[Count, Count]
    """Nodes that the delegate runs, and nodes in all."""
    tuned: bool = False
    """Whether threads and kernels are the tuner's choice."""


class StageFacts(Message):
    """Which further model of the frame runs."""

    name: Word
    model: Word
    sha256: Word
    bundle: Digest = ""
    task: Word


class Ready(_Facts):
    """The model is loaded and has run once."""

    type: Literal["ready"] = "ready"
    confined: Confined = Confined()
    stages: list[StageFacts] = Field(default=[], max_length=8)
    """The further models."""


class Opened(Message):
    """The source is open; `live` says whether unread frames are lost."""

    type: Literal["opened"] = "opened"
    live: bool


class Lost(Message):
    """The source is gone; the worker tries to open it again."""

    type: Literal["lost"] = "lost"
    problem: Text


class Swapped(_Facts):
    """Frames captured from now on go to the other model; what follows this message is its work."""

    type: Literal["swapped"] = "swapped"
    token: Count
    """Of the request that asked for it."""


class Unswapped(Flat):
    """A request to swap could not be met; the model that served goes on serving."""

    type: Literal["unswapped"] = "unswapped"
    token: Count


class Accelerated(Message):
    """The model is loaded on an accelerator and met its golden answers there; frames go there now."""

    type: Literal["accelerated"] = "accelerated"
    accelerator: Word
    generation: Count
    """Of the connection, as the supervisor counts them."""
    delegate: Word
    delegated: tuple[Count, Count]
    goldens: Count
    """How many golden answers it has met."""


class Incident(Message):
    """An accelerator failed this pipeline; its CPU twin serves from this frame on, where it has one."""

    type: Literal["incident"] = "incident"
    accelerator: Word
    generation: Count
    kind: Literal["overrun", "died", "refused", "garbage", "load"]
    """No answer in time; its process ended; it said no; wrong golden answers; the model does not load."""
    problem: Text
    twin: bool
    """Whether a CPU twin serves now."""
    good_ns: Stamp = 0
    """When its answers were last known to be right, CLOCK_MONOTONIC; after garbage the rest is suspect."""


class Regained(Message):
    """The first correct result after an incident: ``blind_us`` after the inference began that failed."""

    type: Literal["regained"] = "regained"
    accelerator: Word
    generation: Count
    kind: Word
    blind_us: Count


class Relieved(Message):
    """The CPU twin serves from here on, without any incident."""

    type: Literal["relieved"] = "relieved"
    accelerator: Word
    generation: Count
    reason: Literal["asked", "busy", "unfit"]
    """The supervisor took it back; it loads another pipeline's model; this model does not run on it."""
    problem: Text = ""


class Retried(Message):
    """An accelerator refused an inference, and met the same frame at the second try."""

    type: Literal["retried"] = "retried"
    accelerator: Word
    generation: Count
    problem: Text


class Proved(_Facts):
    """What a worker in proving mode found: the model has met its golden answers and its budget.

    Times are milliseconds of one inference, after warming up; memory is 2^20 bytes.
    """

    type: Literal["proved"] = "proved"
    goldens: Count
    runs: Count
    p50_ms: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    p95_ms: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    rss_mb: Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Results(Message):
    """Records since the last message, and the worker's ledger as of the last of them."""

    type: Literal["results"] = "results"
    ledger: Counts
    records: list[Record] = Field(max_length=4096)


Stage = Literal["capture_wait", "preprocess", "queue", "infer", "decode", "send", "total"]
"""What a worker does to a frame, in this order, and all of it."""
_Few = Annotated[int, Field(ge=0, lt=1 << 32)]
_Bucket = Annotated[int, Field(ge=0, lt=MOST_BUCKETS)]


class Timing(Message):
    """A histogram, on the wire."""

    buckets: list[tuple[_Bucket, _Few]] = Field(max_length=MOST_BUCKETS)
    sum_us: Count
    max_us: Annotated[int, Field(ge=0, le=LONGEST_US)]

    def histogram(self) -> Histogram:
        """The same, to count with."""
        return Histogram({bucket: count for bucket, count in self.buckets if count}, self.sum_us, self.max_us)


class Timings(Message):
    """How long the stages took, of the frames since the last such message; about once a second."""

    type: Literal["timings"] = "timings"
    stages: dict[Stage, Timing]


class Ended(Message):
    """The source is over or a stop was asked for; every frame is settled."""

    type: Literal["ended"] = "ended"
    ledger: Counts
    remark: Text = ""


class Fault(Flat):
    """Why the worker is about to exit."""

    type: Literal["fault"] = "fault"
    loc: list[Word | Count] = Field(default=[], max_length=32)
    """For ConfigInvalid: the path of the key inside the pipeline's table."""


Said = (
    Ready
    | Opened
    | Lost
    | Refused
    | Unwell
    | Well
    | Results
    | Timings
    | Swapped
    | Unswapped
    | Accelerated
    | Incident
    | Regained
    | Relieved
    | Retried
    | Proved
    | Ended
    | Fault
)
"""What is said in words alone."""
_Packet = Said | Medium | Picture | Unpictured
FromWorker = Annotated[_Packet, Field(discriminator="type")]
_from_worker: TypeAdapter[_Packet] = TypeAdapter(FromWorker)


def parse(packet: bytes) -> _Packet:
    """Read a worker's packet.

    Raises:
        MessageInvalid: it is not one of the messages above.
    """
    return read(_from_worker, packet, "from worker")
