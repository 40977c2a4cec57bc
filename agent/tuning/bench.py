"""Measures settings of a model against each other: one process a setting, all alive, in rounds.

In each round every setting has its turn, in a random order: what else the machine does hits all alike. While
one works the others wait for a packet, and take no time.
"""

from __future__ import annotations

import random
import selectors
import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import orjson

from agent.errors import AgentError, MessageInvalid
from agent.processes.child import Child, ending
from agent.processes.message import error_of
from agent.tuning.measured import Measured
from agent.tuning.messages import Checked, Fault, Loaded, Times, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from agent.tuning.messages import TrialSpec
    from agent.tuning.setting import Setting

ROUNDS = 20
_LEAST = 3
"""Inferences in a turn, at least."""
_FEWEST_ROUNDS = 6
_PATIENCE = 3.0
"""A slow model gets fewer rounds, once it has taken so many times the time that it was given."""
_ANSWER_S = 60.0
"""How long loading, a check, or a turn beyond its time may take."""
_END_S = 2.0

T = TypeVar("T", Loaded, Times, Checked)


@dataclass
class _Contender:
    """A setting and its process."""

    setting: Setting
    child: Child | None = None
    loaded: Loaded | None = None
    rounds: list[tuple[float, ...]] = field(default_factory=list)
    checked: Checked | None = None
    problem: str = ""

    def ask(self, request: Mapping[str, object], wanted: type[T], limit_s: float) -> T | None:
        """Ask its process; give None, and end it, when that fails."""
        if self.child is None:
            return None
        try:
            self.child.channel.send(orjson.dumps(request))
        except OSError:  # it is gone: what it said last tells more
            return self.answer(wanted, limit_s)
        return self.answer(wanted, limit_s)

    def answer(self, wanted: type[T], limit_s: float) -> T | None:
        """Wait for what its process says next."""
        if self.child is None:
            return None
        packet = _next_packet(self.child, limit_s)
        if packet is None:
            self._give_up(f"no answer in {limit_s:.0f} s")
            return None
        try:
            said = parse(packet) if packet else None
        except MessageInvalid as error:
            self._give_up(str(error))
            return None
        if isinstance(said, Fault):
            self._give_up(str(error_of(said)))
            return None
        if said is None:
            self._give_up("")
        elif not isinstance(said, wanted):  # rounds that some lack count for nobody
            self._give_up(f"it says {said.type}, which nobody has asked for")
        else:
            return said
        return None

    def _give_up(self, problem: str) -> None:
        code = self.close()
        self.problem = problem or f"its process died: {ending(code)}"

    def close(self) -> int:
        """End its process, and give the exit code; 0 when there is none."""
        if self.child is None:
            return 0
        child, self.child = self.child, None
        try:
            child.channel.send(b'{"type":"stop"}')
        except OSError:
            child.signal(signal.SIGKILL)
        if not _ended(child, _END_S):
            child.signal(signal.SIGKILL)
            _ended(child, _END_S)
        code = child.exit_code()
        child.close()
        return code or 0

    def result(self) -> Measured:
        """What was measured."""
        difference = self.checked.difference if self.checked else ""
        return Measured(
            self.setting,
            self.loaded,
            tuple(self.rounds),
            self.checked.goldens if self.checked else 0,
            self.checked is not None and self.checked.compared,
            self.problem or (f"wrong: {difference}" if difference else ""),
        )


def measure(
    settings: Sequence[Setting],
    spec_of: Callable[[Setting], TrialSpec],
    seconds: float,
    progress: Callable[[float], None] = lambda _: None,
) -> tuple[list[Measured], bool]:
    """Measure settings of one model for about ``seconds`` in all, loading and checking not counted.

    Args:
        settings: what to measure.
        spec_of: says what a process is to run for a setting.
        seconds: how long the rounds take.
        progress: is told how much is done, from 0 to 1.

    Returns:
        What was measured, in the order of ``settings``, and whether it was whole: ^C ends it early.
    """
    contenders = [_Contender(setting) for setting in settings]
    whole = False
    try:
        for n, one in enumerate(contenders):
            _start(one, spec_of(one.setting))
            progress(0.1 * (n + 1) / len(contenders))
        _rounds(contenders, seconds, lambda done: progress(0.1 + 0.8 * done))
        for n, one in enumerate(contenders):
            one.checked = one.ask({"type": "check"}, Checked, _ANSWER_S)
            progress(0.9 + 0.1 * (n + 1) / len(contenders))
        whole = True
    except KeyboardInterrupt:
        _align(contenders)
    finally:
        for one in contenders:
            one.close()
    return [one.result() for one in contenders], whole


def _start(one: _Contender, spec: TrialSpec) -> None:
    try:
        one.child = Child("agent.tuning.main", spec.model_dump_json().encode())
    except OSError as error:
        one.problem = f"cannot start a process: {error}"
        return
    one.loaded = one.answer(Loaded, _ANSWER_S)


def _rounds(contenders: Sequence[_Contender], seconds: float, progress: Callable[[float], None]) -> None:
    dice = random.Random(len(contenders))  # noqa: S311 - an order, no secret
    began = time.monotonic()
    for number in range(ROUNDS):
        running = [one for one in contenders if one.child is not None]
        if not running or (number >= _FEWEST_ROUNDS and time.monotonic() - began > _PATIENCE * seconds):
            break
        slice_s = seconds / ROUNDS / len(running)
        for one in dice.sample(running, len(running)):
            request = {"type": "turn", "seconds": slice_s, "least": _LEAST}
            if said := one.ask(request, Times, slice_s + _ANSWER_S):
                one.rounds.append(tuple(ns / 1e6 for ns in said.ns))
        progress((number + 1) / ROUNDS)
    _align(contenders)


def _align(contenders: Sequence[_Contender]) -> None:
    """Leave out a round that not all who still run have had."""
    most = min((len(one.rounds) for one in contenders if not one.problem), default=0)
    for one in contenders:
        del one.rounds[most:]


def _next_packet(child: Child, limit_s: float) -> bytes | None:
    """Give the next packet, b"" when the process is gone, None when it says nothing for so long."""
    until = time.monotonic() + limit_s
    with selectors.DefaultSelector() as selector:
        selector.register(child.channel, selectors.EVENT_READ)
        while (left := until - time.monotonic()) > 0:
            if selector.select(left) and (packet := child.channel.receive()) is not None:
                return packet
    return None


def _ended(child: Child, limit_s: float) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(child.pidfd, selectors.EVENT_READ)
        selector.select(limit_s)
    return child.exit_code() is not None


def failure(measured: Sequence[Measured]) -> AgentError | None:
    """Give the error to raise when a model ran in no setting; None when it did in one."""
    if any(one.loaded is not None for one in measured):
        return None
    problem = next((one.problem for one in measured if one.problem), "nothing was measured")
    return AgentError(
        "bench", "model", problem, "Try it by itself: edge-agent infer MODEL --source synthetic"
    )
