"""What came of a command, device by device: pure; the last word of each is kept, whatever comes how often."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from agent.errors import MessageInvalid
from agent.wording import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from agent.documents.outcome import Outcome

_MOST_BAD = 20
"""Answers of one device that do not count, until no more of them are looked at."""
_MOST_RESULTS = 256 << 20
"""Bytes of all results that are kept; what comes then is told without its result."""
_REASON = 300


@dataclass(frozen=True, slots=True)
class Result:
    """Where one device stands.

    Attributes:
        device: its name.
        outcome: what it has said last; None: nothing that counts.
        problem: why what it has said does not count.
        bad: how many such answers came.
        files: those that came beside it, whole.
        lacking: names of those that did not.
        refused: how many parts of files were of no use, by reason.
    """

    device: str
    outcome: Outcome | None = None
    problem: str = ""
    bad: int = 0
    files: tuple[Path, ...] = ()
    lacking: tuple[str, ...] = ()
    refused: dict[str, int] = field(default_factory=dict)

    @property
    def last(self) -> bool:
        """Whether nothing more is to come."""
        return self.outcome is not None and self.outcome.last

    @property
    def good(self) -> bool:
        """Whether it was done."""
        return self.outcome is not None and self.outcome.state == "done" and not self.lacking

    @property
    def state(self) -> str:
        """The device's word; "silent" where there is none."""
        return self.outcome.state if self.outcome else "silent"

    @property
    def reason(self) -> str:
        """Why it was not done, or is not yet known to be; "" where there is nothing to say."""
        if self.outcome is None:
            return self.problem or "no answer"
        why = self.outcome.refusal or ""
        return ": ".join(filter(None, (why, plain(self.outcome.reason, _REASON))))


class Gathering:
    """Gathers the outcomes of one command.

    Args:
        identity: the command's id.
        devices: whose word is waited for.
    """

    def __init__(self, identity: str, devices: Iterable[str]) -> None:
        self._id = identity
        self._found = {name: Result(name) for name in devices}
        self._open = set(self._found)
        self._bytes = 0

    @property
    def pending(self) -> Sequence[str]:
        """Those whose last word is missing, by name."""
        return sorted(self._open)

    @property
    def working(self) -> Sequence[str]:
        """Those that have said that they will do it, and no more, by name."""
        return sorted(name for name in self._open if self._found[name].outcome)

    @property
    def over(self) -> bool:
        """Whether all have had their last word."""
        return not self._open

    @property
    def results(self) -> list[Result]:
        """Where each device stands, by name."""
        return [self._found[name] for name in sorted(self._found)]

    def take(self, device: str, read: Callable[[], Outcome], size: int) -> Result | None:
        """Take in an answer; give where the device stands, None where that tells nothing new.

        Args:
            device: whose topic it came on.
            read: proves and reads it; called only where its word is waited for.
            size: the answer's bytes.
        """
        before = self._found.get(device)
        if device not in self._open or before is None or before.bad >= _MOST_BAD:
            return None
        try:
            found = read()
        except MessageInvalid as error:
            after = replace(before, problem=f"an answer does not count: {error.problem}", bad=before.bad + 1)
            self._found[device] = after
            return after if after.problem != before.problem else None
        twice = before.outcome is not None and (not found.last or found.refusal == "replayed")
        if found.id != self._id or twice:
            return None  # of another command, told again, or of a second envelope of this one
        self._bytes += size
        if self._bytes > _MOST_RESULTS:
            found = found.model_copy(
                update={"result": {}, "reason": found.reason or "its result is too much"}
            )
        after = replace(before, outcome=found)
        self._found[device] = after
        if found.last:
            self._open.discard(device)
        return after
