"""Pictures of what pipelines see: where their configuration allows it, and after their privacy."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING

from agent.commands.seams import Answer
from agent.errands.programs import place
from agent.errors import AgentError, Forbidden, Rejected, SourceLost, StoreBusy
from agent.files import advice
from agent.media import flaw
from agent.workers.policy import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from agent.clock import Clock
    from agent.processes.watch import Watched
    from agent.workers.lane import Lane
    from agent.workers.media_messages import Pictured
    from agent.workers.run import Run

PATIENCE_S = 10.0


class Pictures:
    """Asks workers for their next frame.

    Args:
        lanes: one a pipeline.
        allowed: whether an operator may have pictures of a pipeline, by its name.
        spool: where they lie until they are sent.
        clock: where time comes from.
    """

    def __init__(self, lanes: Sequence[Lane], allowed: Mapping[str, bool], spool: Path, clock: Clock) -> None:
        self._lanes = {lane.name: lane for lane in lanes}
        self._allowed, self._spool, self._clock = allowed, spool, clock
        self._tokens = itertools.count(1)

    def ask(self, pipeline: str) -> Looking:
        """Have the next frame drawn; the answer has it as a file.

        Raises:
            Rejected: there is no such pipeline.
            Forbidden: the configuration does not allow it.
            SourceLost: it has no frames just now.
        """
        lane = self._lanes.get(pipeline)
        if lane is None:
            hint = f"There are: {', '.join(self._lanes)}"
            raise Rejected("take picture of", pipeline, "there is no such pipeline", hint)
        if not self._allowed.get(pipeline):
            hint = "Set remote_snapshots = true for it on the device"
            raise Forbidden("take picture of", pipeline, "pipelines.remote_snapshots is false", hint)
        run = lane.run
        if run is None or run.closed or lane.state is not State.RUNNING:
            raise SourceLost("take picture of", pipeline, f"its worker does not run: {lane.state.value}")
        if run.away:
            raise SourceLost("take picture of", pipeline, run.away)
        token = next(self._tokens)
        run.pictures[token] = None
        if not run.process.tell({"type": "picture", "token": token}):
            del run.pictures[token]
            raise SourceLost("take picture of", pipeline, "its worker does not listen")
        return Looking(lane, run, token, self._spool, self._clock.monotonic() + PATIENCE_S)


class Looking:
    """A picture that is waited for; a ``Work``.

    Args:
        lane: whose.
        run: the worker that was asked.
        token: what it answers to.
        spool: where the picture goes.
        until: how long it is waited for, on the monotonic clock.
    """

    def __init__(self, lane: Lane, run: Run, token: int, spool: Path, until: float) -> None:
        self._lane, self._run, self._token = lane, run, token
        self._spool, self._until = spool, until

    def tick(self, now: float) -> Answer | None:
        """Give the picture, once it is there.

        Raises:
            SourceLost: no frame comes.
            AgentError: the pipeline has no pictures, or the disk refuses.
        """
        found = self._run.pictures.get(self._token)
        if found is None:
            if self._lane.run is not self._run:
                raise SourceLost("take picture of", self._lane.name, "its worker has ended")
            if self._run.away:
                raise SourceLost("take picture of", self._lane.name, self._run.away)
            if now >= self._until:
                problem = f"no frame came for {PATIENCE_S:g} s"
                raise SourceLost("take picture of", self._lane.name, problem, "Look at its source, and gates")
            return None
        if isinstance(found, str):
            raise Rejected("take picture of", self._lane.name, found)
        return self._kept(found)

    def watched(self) -> Iterator[Watched]:
        """The worker is watched by others."""
        return iter(())

    def stop(self) -> None:
        """What comes now is let go of."""
        self._run.let_go(self._token)

    def _kept(self, picture: Pictured) -> Answer:
        content = os.pread(picture.fd, picture.size, 0)
        self._run.let_go(self._token)
        if len(content) != picture.size or (why := flaw("snapshot", content)):
            why = why if len(content) == picture.size else "it is cut off"
            raise AgentError("take picture of", self._lane.name, why, "Treat its worker as taken over")
        path = place(self._spool, f"snapshot-{self._lane.name}.jpg")
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content)
        except OSError as error:
            raise StoreBusy("write", path.name, error.strerror or str(error), advice(error)) from error
        return Answer({"pipeline": self._lane.name, "frame": picture.message.frame}, (path,))
