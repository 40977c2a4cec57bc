"""What a lane's workers say: their messages taken in, one process after the other."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

from agent.errors import MessageInvalid
from agent.events import Event, emit
from agent.processes.ipc import close_all
from agent.workers import messages
from agent.workers.camera_messages import Refused, Unwell, Well
from agent.workers.media_messages import Medium, Picture, Unpictured, pictured, sent
from agent.workers.run import FIRST_EASE

if TYPE_CHECKING:
    from agent.ledger import Ledger
    from agent.workers.record import Record
    from agent.workers.run import Run

News = messages.Accelerated | messages.Incident | messages.Regained | messages.Relieved | messages.Retried
"""What a worker says of the accelerator that it was given."""


class Hearing:
    """Takes in the messages of a lane's workers.

    Args:
        name: the pipeline's.
        source: its source's, where it has one.
        media: whether it is to send media.

    Attributes:
        ready: what the newest worker said of the model that serves, as of its last swap.
        fault: the last fault of a worker.
        replies: answers to swaps.
        news: what was said of accelerators.
    """

    def __init__(self, name: str, source: str = "", *, media: bool = False) -> None:
        self._name = name
        self._media = media
        self._of_source: dict[str, Any] = {"source": source} if source else {}
        self.ready: messages.Ready | None = None
        self.fault: messages.Fault | None = None
        self.replies: list[messages.Swapped | messages.Unswapped] = []
        self.news: list[News] = []

    def receive(self, run: Run, packets: int) -> list[Record]:
        """Take in so many packets at most; give the records among them, all of one model on one delegate.

        A change of either after some records ends it: ``turn`` takes it in when these have been kept as the
        work of what was there before.
        """
        records: list[Record] = []
        self.turn(run)
        for _ in range(packets):
            if run.closed:
                break
            packet, descriptors = run.process.channel.receive_with()
            if not packet:
                close_all(descriptors)
                run.closed = packet is not None
                break
            run.received += len(packet)
            try:
                message = messages.parse(packet)
                if isinstance(message, Medium):
                    self._take_medium(run, message, descriptors)
                elif isinstance(message, Picture | Unpictured):
                    self._take_picture(run, message, descriptors)
                else:
                    self._take(run, message)
            except MessageInvalid as error:
                self.distrust(run, error)
                break
            finally:
                close_all(descriptors)  # what is left of them
            if isinstance(message, messages.Results):
                records.extend(message.records)
            if records and run.held is not None:
                break
            self.turn(run)
        return records

    def turn(self, run: Run) -> None:
        """Take in a change that was held back: what comes from now on is the new model's, or delegate's."""
        if (held := run.held) is None or run.ready is None:
            return
        run.held = None
        run.learned.forget()
        if isinstance(held, messages.Swapped):
            facts = held.model_dump(exclude={"type", "token"})
            run.twin = held.delegate, held.delegated
            self._reply(run, held)
            emit(Event.LANE_SWAPPED, self._name, model=held.model, delegate=held.delegate)
        else:
            facts = self._changed_delegate(run, held)
            self.news.append(held)
        self.ready = run.ready = run.ready.model_copy(update=facts)

    def _changed_delegate(
        self, run: Run, news: messages.Accelerated | messages.Incident | messages.Relieved
    ) -> dict[str, Any]:
        if isinstance(news, messages.Accelerated):
            nodes = "{} of {}".format(*news.delegated)
            emit(
                Event.LANE_ACCELERATED, self._name, delegate=news.delegate, nodes=nodes, goldens=news.goldens
            )
            return {"delegate": news.delegate, "delegated": news.delegated}
        if isinstance(news, messages.Incident) or news.reason != "busy":
            run.loses(news.generation)
        if isinstance(news, messages.Relieved):
            why = news.problem or news.reason
            emit(Event.LANE_RELIEVED, self._name, delegate=run.twin[0], why=why)
        return {"delegate": run.twin[0], "delegated": run.twin[1]}

    def distrust(self, run: Run, error: MessageInvalid) -> None:
        """End a worker that breaks the protocol; nothing more of it is read."""
        emit(Event.MESSAGE_REFUSED, self._name, problem=error)
        run.closed = True
        run.process.signal(signal.SIGKILL)

    def _take_medium(self, run: Run, message: Medium, descriptors: list[int]) -> None:
        if not self._media:
            raise MessageInvalid("read packet", message.type, "nobody has asked for it")
        run.media.append(sent(message, descriptors))  # whoever calls receive takes them
        descriptors.clear()

    def _take_picture(self, run: Run, message: Picture | Unpictured, descriptors: list[int]) -> None:
        if not run.wants_picture(message.token):
            return
        if isinstance(message, Unpictured):
            run.pictures[message.token] = message.problem
        else:
            run.pictures[message.token] = pictured(message, descriptors)  # whoever has asked takes it
            descriptors.clear()

    def _take(self, run: Run, message: messages.Said) -> None:
        match message:
            case messages.Ready():
                self._begin(run, message)
            case messages.Opened() | messages.Lost() | Unwell() | Well():
                self._look_at_source(run, message)
            case Refused():
                run.refused = message
            case messages.Swapped() | messages.Unswapped():
                self._answered(run, message)
            case messages.Timings():
                run.timings.append(message)  # whoever calls receive takes them
                run.learned.take((message,))
            case messages.Results(ledger=counts) | messages.Ended(ledger=counts):
                self._account(run, counts.ledger())
                if isinstance(message, messages.Ended):
                    self._end(run, message)
            case messages.Fault():
                self.fault = run.fault = message
            case messages.Proved():
                raise MessageInvalid("read packet", message.type, "it was to serve, not to prove")
            case _:
                self._hear_of_accelerator(run, message)

    def _begin(self, run: Run, ready: messages.Ready) -> None:
        if run.ready is not None:
            raise MessageInvalid("read packet", ready.type, "it has said so before")
        self.ready = run.ready = ready
        run.twin = ready.delegate, ready.delegated
        emit(Event.LANE_READY, self._name, model=ready.model, delegate=ready.delegate)
        if not (ready.confined.landlock and ready.confined.seccomp):
            emit(Event.LANE_EXPOSED, self._name, **ready.confined.model_dump())

    def _end(self, run: Run, message: messages.Ended) -> None:
        run.ended = True
        if not run.dismissed:
            emit(Event.SOURCE_ENDED, self._name, remark=message.remark, **self._of_source)

    def _look_at_source(self, run: Run, message: messages.Opened | messages.Lost | Unwell | Well) -> None:
        match message:
            case messages.Opened():
                run.live, run.away = message.live, ""
                emit(Event.SOURCE_OPENED, self._name, **self._of_source)
            case messages.Lost():
                run.away = message.problem
                emit(Event.SOURCE_LOST, self._name, problem=message.problem, **self._of_source)
            case Unwell():
                run.unwell.add(message.fault)
                emit(
                    Event.SOURCE_UNWELL,
                    f"{self._name}/{message.fault}",
                    problem=message.problem,
                    **self._of_source,
                )
            case Well():
                run.unwell.discard(message.fault)
                emit(Event.SOURCE_WELL, f"{self._name}/{message.fault}", **self._of_source)

    def _answered(self, run: Run, message: messages.Swapped | messages.Unswapped) -> None:
        if message.token not in run.asked:
            raise MessageInvalid("read packet", message.type, "nobody has asked for it")
        run.asked.remove(message.token)
        if isinstance(message, messages.Swapped):
            run.held = message
        else:
            self._reply(run, message)

    def _reply(self, run: Run, answer: messages.Swapped | messages.Unswapped) -> None:
        (run.eases if answer.token >= FIRST_EASE else self.replies).append(answer)

    def _hear_of_accelerator(self, run: Run, message: News) -> None:
        loan = run.lent.get(message.generation)
        if loan is None or loan.accelerator != message.accelerator:
            raise MessageInvalid("read packet", message.type, "it was given no such accelerator")
        if isinstance(message, messages.Regained | messages.Retried):
            self.news.append(message)
        else:
            run.held = message

    def _account(self, run: Run, ledger: Ledger) -> None:
        for reason, count in ledger.failed.items():
            if (more := count - run.ledger.failed.get(reason, 0)) > 0:
                told = run.refused if run.refused and run.refused.reason == reason else None
                why: dict[str, Any] = {"problem": told.problem} if told else {}
                emit(Event.FRAME_FAILED, self._name, count=more, reason=reason, **why)
        for reason, count in ledger.dropped.items():
            if (more := count - run.ledger.dropped.get(reason, 0)) > 0:
                emit(Event.FRAME_DROPPED, self._name, count=more, reason=reason)
        run.ledger = ledger
        if not ledger.balanced:
            emit(Event.LEDGER_UNBALANCED, self._name, ledger=ledger.to_json())
