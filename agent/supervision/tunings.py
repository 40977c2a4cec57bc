"""What the tuner has chosen, while the agent runs and while it does not.

``with_tunings`` gives a plan whose workers are told of it; ``Tunings`` answers on the local socket; ``keep``
and ``forget`` ask the running agent, and write the folder themselves when there is none.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import orjson
from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from agent.boards.machine import machine
from agent.clock import SystemClock
from agent.errors import MessageInvalid
from agent.picks import picks_of
from agent.processes.message import Message, Word
from agent.slots import Change, Note, Tuning
from agent.store.custody import MAX_FIGURES, MOST_TUNED
from agent.store.folder import DataFolder
from agent.store.kept import read_kept
from agent.store.outbox import Outbox
from agent.supervision.control import ask, deserted
from agent.validation import first_problem
from agent.workers.process import WorkerProcess
from agent.workers.spec import LaneSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agent.plan import Plan
    from agent.store.thread import Store

OPS = ("tuned", "tuned.keep", "tuned.forget")
_TOKEN = 0
"""Of changes that nobody waits for; those about models are numbered from 1."""
_AT_ONCE = 32
"""Hashes in one request, which has its bound."""
_Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def _an_object(text: str) -> str:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"no JSON: {error}") from error
    if not isinstance(found, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 - what a validator raises
    return text


class Keep(Message):
    """A request to keep a choice; the fields are those of ``Tuning``, the agent dates it."""

    op: Literal["tuned.keep"] = "tuned.keep"
    sha256: _Hash
    runtime: Word
    board: Word
    machine: Word
    model: Word
    threads: Annotated[int, Field(ge=1, le=16)]
    xnnpack: bool
    figures: Annotated[str, Field(max_length=MAX_FIGURES), AfterValidator(_an_object)]


class Forget(Message):
    """A request to forget what was chosen for these models, on whatever runtime and machine."""

    op: Literal["tuned.forget"] = "tuned.forget"
    sha256: Annotated[list[_Hash], Field(max_length=_AT_ONCE)]


class Look(Message):
    """A request for all that was chosen."""

    op: Literal["tuned"] = "tuned"


_requests: TypeAdapter[Keep | Forget | Look] = TypeAdapter(
    Annotated[Keep | Forget | Look, Field(discriminator="op")]
)


class Tunings:
    """The choices of a running agent.

    Args:
        plan: with what was kept at the start.
        store: writes changes; started.
    """

    def __init__(self, plan: Plan, store: Store) -> None:
        self._plan, self._store = plan, store
        self._rows = {one.key: one for one in plan.tuned}
        self._clock = SystemClock()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer ``tuned``, or do ``tuned.keep`` and ``tuned.forget``; give all that is kept then.

        Raises:
            MessageInvalid: the request is wrong.
            StoreBusy: too many changes wait for the disk already.
        """
        try:
            asked = _requests.validate_python(request)
        except ValidationError as error:
            raise MessageInvalid("answer", repr(request.get("op"))[:40], first_problem(error)) from error
        match asked:
            case Keep():
                self._change(_keeping(asked, self._clock.wall_ns()))
            case Forget():
                self._change(_forgetting(asked.sha256, self._rows.values()))
        return {"tuned": [asdict(one) for one in self._rows.values()]}

    def _change(self, change: Change) -> None:
        self._store.change(change, _TOKEN)
        for key in (*change.untuned, *(one.key for one in change.tuned)):
            self._rows.pop(key, None)
        self._rows |= {one.key: one for one in change.tuned}
        for key in list(self._rows)[:-MOST_TUNED]:  # as the store does
            del self._rows[key]

    def started(self, spec_json: bytes) -> WorkerProcess:
        """Start a worker, with what is chosen by now; a lane's ``spawn``.

        Raises:
            OSError: this machine cannot start one now.
        """
        spec = LaneSpec.model_validate_json(spec_json)
        if spec.tunable:
            picks = picks_of(self._rows.values(), self._plan.profile.name, machine())
            spec = spec.model_copy(update={"tuned": picks})
        return WorkerProcess(spec.model_dump_json().encode())


def with_tunings(plan: Plan, tunings: tuple[Tuning, ...]) -> Plan:
    """Give the plan whose workers run models as it was chosen for them on this board and machine."""
    picks = picks_of(tunings, plan.profile.name, machine())
    lanes = tuple(spec.model_copy(update={"tuned": picks}) if spec.tunable else spec for spec in plan.lanes)
    return replace(plan, lanes=lanes, tuned=tunings)


def kept(plan: Plan) -> list[Tuning]:
    """Give all that is kept: of the running agent, else of its folder.

    Raises:
        AgentError: the agent does not answer, or the folder cannot be read.
    """
    if deserted(plan.control):
        return list(read_kept(plan.data).tuned)
    return [Tuning(**one) for one in ask(plan.control, {"op": "tuned"})["tuned"]]


def keep(plan: Plan, choice: Keep) -> None:
    """Keep a choice: the running agent does it, else we write its folder.

    Raises:
        AgentError: the agent does not answer, or refuses.
        FolderUnusable: the folder cannot be used.
        StoreBusy: the disk refuses.
    """
    if not deserted(plan.control):
        ask(plan.control, choice.model_dump())
    else:
        _write(plan, _keeping(choice, SystemClock().wall_ns()))


def forget(plan: Plan, tunings: Sequence[Tuning]) -> None:
    """Forget what was chosen for the models of these; as ``keep``."""
    hashes = sorted({one.sha256 for one in tunings})
    for start in range(0, len(hashes), _AT_ONCE):
        some = hashes[start : start + _AT_ONCE]
        if not deserted(plan.control):
            ask(plan.control, Forget(sha256=some).model_dump())
        else:
            _write(plan, _forgetting(some, read_kept(plan.data).tuned))


def _keeping(choice: Keep, wall_ns: int) -> Change:
    row = Tuning(**choice.model_dump(exclude={"op"}), wall_ns=wall_ns)
    detail: dict[str, str | int] = {"sha256": row.sha256, "runtime": row.runtime}
    detail |= {"threads": row.threads, "xnnpack": row.xnnpack}
    return Change(tuned=(row,), notes=(Note("model.tuned", row.model, detail),))


def _forgetting(hashes: Iterable[str], rows: Iterable[Tuning]) -> Change:
    wanted = set(hashes)
    gone = [one for one in rows if one.sha256 in wanted]
    notes = tuple(Note("model.untuned", one.model, {"sha256": one.sha256}) for one in gone)
    return Change(untuned=tuple(one.key for one in gone), notes=notes)


def _write(plan: Plan, change: Change) -> None:
    clock = SystemClock()
    with (
        DataFolder(plan.data, plan.device),
        closing(Outbox(plan.data, clock=clock)) as outbox,
    ):
        outbox.change(change, clock.wall_ns(), synced=clock.synced())
