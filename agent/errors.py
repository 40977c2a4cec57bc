"""One tree of errors, grouped by the reaction that they call for.

    AgentError(op, subject, hint)
    |-- Retryable              wait, then try the same again
    |   |-- LinkLost           the broker is away or refused us
    |   |-- FetchFailed        what is to be fetched is damaged, or does not come
    |   |   `-- Absent         ... or is not there
    |   |-- SourceLost         a camera or sensor is away
    |   |   `-- LoginRefused   ... or refuses name and password
    |   |-- DelegateLost       an accelerator's library or device cannot be used for now
    |   `-- StoreBusy          the disk is read-only or locked for now
    |       `-- DiskFull       it has no room
    |-- Rejected               this one input is bad; the next may be fine
    |   |-- InputRejected      a frame, image or array that cannot be read or does not fit
    |   |-- ModelInvalid       a model file that does not load, or does not fit its task
    |   |-- ManifestInvalid    a bundle whose manifest or files are wrong
    |   |-- BundleRefused      a bundle that a rule, its proof or its probation does not let serve
    |   |-- Forbidden          a command that this device's own configuration does not allow
    |   |-- MetadataRefused    update metadata that is forged, expired or older than what is known
    |   `-- MessageInvalid     bytes from a peer that break the protocol
    |       |-- NotSigned      ... that nobody vouches for whose word counts
    |       |-- WrongSender    ... that say that they are somebody else's
    |       `-- WrongTopic     ... that came where nobody asked for them
    |-- Restart                this process is no longer to be trusted; a new one may be
    |   |-- BackendFault       the runtime or a delegate failed
    |   `-- LaneCrashed        a worker died
    `-- Fatal                  nothing helps but a person
        |-- ConfigInvalid      exit code 78: do not restart me
        |   `-- CopyBehind     another copy of the operator's folder has published since
        |-- ExtraMissing       an optional package is not installed
        `-- FolderUnusable     the data folder cannot be used
            |-- FolderHeld     another agent holds it
            `-- FileDamaged    a file in it is damaged; the store sets it aside by itself

``SourceEnded`` is no error: it is how a recording says that it is over.
Bugs stay RuntimeError and AssertionError.
"""

from __future__ import annotations

from typing import ClassVar, Literal

Refusal = Literal[
    "signature", "sender", "format", "topic", "flood", "packet",
    "audience", "replayed", "expired", "clock", "scope", "unknown", "local", "busy", "quarantined",
]  # fmt: skip
"""Under what a refused message is counted; docs/events.md explains each. The second line is of commands."""

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_CONFIG = 78
"""EX_CONFIG of sysexits.h: systemd is told not to restart on it."""


class AgentError(Exception):
    """Something failed: which operation, on what, and the next thing to do.

    Args:
        op: the operation, a verb phrase: "load model".
        subject: what it was done to: a path, a topic, a key.
        problem: what went wrong, in a few words.
        hint: the next thing to do, an imperative sentence; "" when there is none.
    """

    exit_code: ClassVar[int] = EXIT_FAILED

    def __init__(self, op: str, subject: str, problem: str, hint: str = "") -> None:
        super().__init__(op, subject, problem, hint)
        self.op = op
        self.subject = subject
        self.problem = problem
        self.hint = hint

    def __str__(self) -> str:
        """One line: ``op subject: problem. hint``."""
        line = f"{self.op} {self.subject}: {self.problem}".lstrip()
        return f"{line}. {self.hint}" if self.hint else line


class Retryable(AgentError):
    """Wait, then try the same again."""


class LinkLost(Retryable):
    """The broker is away or refused us."""


class FetchFailed(Retryable):
    """What is to be fetched is damaged, or does not come."""


class Absent(FetchFailed):
    """What is to be fetched is not there."""


class SourceLost(Retryable):
    """A camera or sensor is away."""


class LoginRefused(SourceLost):
    """A camera or broker refuses name and password. It is asked again seldom, as devices lock accounts."""


class DelegateLost(Retryable):
    """An accelerator's library or device cannot be used for now."""


class StoreBusy(Retryable):
    """The disk is read-only or locked for now."""


class DiskFull(StoreBusy):
    """The disk has no room."""


class Rejected(AgentError):
    """This one input is bad; the next may be fine."""


class InputRejected(Rejected):
    """A frame, image or array that cannot be read or does not fit the model."""


class ModelInvalid(Rejected):
    """A model file that does not load, or does not fit its task."""


class ManifestInvalid(Rejected):
    """A bundle whose manifest or files are wrong."""


class BundleRefused(Rejected):
    """A bundle that a rule, its proof or its probation does not let serve; ``rule`` names which.

    ``rule`` is "policy.<key>", "revoked", "manifest", "contract", "requires", "load", "golden", "budget",
    "probation" or "strikes".
    """

    def __init__(self, op: str, subject: str, problem: str, hint: str = "", *, rule: str) -> None:
        super().__init__(op, subject, problem, hint)
        self.rule = rule


class Forbidden(Rejected):
    """A command that this device's own configuration does not allow."""


class MetadataRefused(Rejected):
    """Update metadata that is forged, expired or older than what is known."""


class MessageInvalid(Rejected):
    """Bytes from a peer that break the protocol; ``refusal`` is what the refusal is counted under."""

    refusal: ClassVar[Refusal] = "format"


class NotSigned(MessageInvalid):
    """A message that nobody vouches for whose word counts."""

    refusal: ClassVar[Refusal] = "signature"


class WrongSender(MessageInvalid):
    """A message that says that it is somebody else's."""

    refusal: ClassVar[Refusal] = "sender"


class WrongTopic(MessageInvalid):
    """A message that came where nobody asked for it."""

    refusal: ClassVar[Refusal] = "topic"


class Restart(AgentError):
    """This process is no longer to be trusted; a new one may be."""


class BackendFault(Restart):
    """The runtime or a delegate failed."""


class LaneCrashed(Restart):
    """A worker died."""


class Fatal(AgentError):
    """Nothing helps but a person."""


class ConfigInvalid(Fatal):
    """The configuration is wrong.

    ``loc`` is the path of keys, as pydantic gives it; ``also`` holds one line for each further problem.
    """

    exit_code: ClassVar[int] = EXIT_CONFIG

    def __init__(
        self,
        op: str,
        subject: str,
        problem: str,
        hint: str = "",
        *,
        loc: tuple[str | int, ...] = (),
        also: tuple[str, ...] = (),
    ) -> None:
        super().__init__(op, subject, problem, hint)
        self.loc = loc
        self.also = also


class CopyBehind(ConfigInvalid):
    """Another copy of the operator's folder has published since."""


class ExtraMissing(Fatal):
    """An optional package is not installed."""


class FolderUnusable(Fatal):
    """The data folder cannot be used."""


class FolderHeld(FolderUnusable):
    """Another agent holds the data folder."""


class FileDamaged(FolderUnusable):
    """A file in the data folder is damaged; the store sets it aside by itself."""


class SourceEnded(Exception):
    """A recording has given its last frame; ``missed`` are those that this reader was never given."""

    def __init__(self, remark: str, *, missed: int = 0) -> None:
        super().__init__(remark)
        self.missed = missed
