"""Makes outcomes: what became of a command, in the form in which it is kept and told. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from pydantic import ValidationError

from agent.documents.outcome import Attached, Outcome
from agent.validation import first_problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.clock import Clock
    from agent.documents.outcome import Refusal, State

MOST_RESULT = 64 << 10
_WORDS = 500


class Outcomes:
    """Writes those of one device.

    Args:
        fleet: ours.
        device: ours.
        clock: says when.
    """

    def __init__(self, fleet: str, device: str, clock: Clock) -> None:
        self._fleet, self._device, self._clock = fleet, device, clock

    def accepted(self, identity: str, op: str, reason: str = "") -> Outcome:
        """It is kept, and will be done; ``reason`` says what it waits for."""
        return self._made(identity, op, "accepted", reason=reason)

    def done(
        self, identity: str, op: str, result: Mapping[str, Any], files: tuple[Attached, ...] = ()
    ) -> Outcome:
        """It was done; a result that is too long for an outcome is left out, and that is said."""
        told = orjson.dumps(result)
        if (size := len(told)) > MOST_RESULT:
            reason = f"its result has {size} bytes, and {MOST_RESULT} are the most: it is left out"
            return self._made(identity, op, "done", reason=reason, files=files)
        try:
            return self._made(identity, op, "done", result=orjson.loads(told), files=files)
        except ValidationError as error:  # a worker's items may be nested as deep as it likes
            reason = f"its result is left out: {first_problem(error)}"
            return self._made(identity, op, "done", reason=reason, files=files)

    def failed(self, identity: str, op: str, reason: str, refusal: Refusal | None = None) -> Outcome:
        """It was tried and could not be done."""
        return self._made(identity, op, "failed", reason=reason, refusal=refusal)

    def refused(self, identity: str, op: str, refusal: Refusal, reason: str) -> Outcome:
        """It was not tried."""
        return self._made(identity, op, "refused", reason=reason, refusal=refusal)

    def _made(
        self,
        identity: str,
        op: str,
        state: State,
        *,
        reason: str = "",
        refusal: Refusal | None = None,
        result: dict[str, Any] | None = None,
        files: tuple[Attached, ...] = (),
    ) -> Outcome:
        return Outcome(
            v=1,
            fleet=self._fleet,
            device=self._device,
            id=identity,
            op=op,
            state=state,
            refusal=refusal,
            reason=reason[:_WORDS],
            result=result or {},
            files=files,
            at=self._clock.wall_ns() // 10**9,
            synced=self._clock.synced(),
        )
