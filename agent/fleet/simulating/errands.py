"""One real updater for all simulated devices of a process: what it has proved and fetched, it tells them all.

Each device believes that it has an updater of its own. Who asks while one runs, or within two seconds of its
start, waits for the next: a run that began before a device asked might not have seen what is new.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from agent.processes.child import Child
from agent.processes.ipc import Channel
from agent.updater import messages
from agent.updater.messages import UpdaterSpec

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable

_GATHER_S = 2.0
_SLOWEST_S = 300.0
"""An updater that has nothing to say for ten minutes is believed to hang."""
_PACKETS_A_TURN = 64


class _Echo(Channel):
    """What a device hears of its updater."""

    def __init__(self) -> None:
        self.packets: deque[bytes] = deque()
        self.over = False

    def receive(self) -> bytes | None:
        """Give the next packet; b"" when no more will come, None when none is there."""
        if self.packets:
            return self.packets.popleft()
        return b"" if self.over else None

    def close(self) -> None:
        """Nothing is open."""


class Errand(Child):
    """An updater, as a device sees it; the process is everybody's.

    Args:
        spec: what the device wants.
        bytes_per_s: what its link carries; 0 without a bound.
        news: called when it has something to say.
    """

    def __init__(self, spec: UpdaterSpec, bytes_per_s: int, news: Callable[[], None]) -> None:
        self.spec = spec
        self._rate = bytes_per_s
        self._news = news
        self._echo = _Echo()
        self.channel = self._echo
        self.pidfd = -1
        self._later: deque[tuple[float, bytes | None]] = deque()
        self._slow_until = 0.0
        self._ended = 0
        self._code: int | None = None

    @property
    def pid(self) -> int:
        """No process's."""
        return 0

    def signal(self, number: signal.Signals) -> None:
        """It is called off."""
        if self._code is None:
            self._code = -number
            self._echo.over = True

    def exit_code(self) -> int | None:
        """As a process's, once it has said all."""
        return self._code

    def close(self) -> None:
        """Nothing is open."""

    @property
    def over(self) -> bool:
        """Whether nobody listens any more, or all was said."""
        return self._code is not None

    def tell(self, message: messages.FromUpdater, packet: bytes, now: float) -> None:
        """Pass on what the updater has said, if it is for this device; a slow link takes its time."""
        match message:
            case messages.Fetched() | messages.Progress():
                if not self._asked(message.name, message.version):
                    return
            case messages.Failed() if message.name and not self._asked(message.name, message.version):
                return
        if self._rate and isinstance(message, messages.Fetched):
            took_s = min(_SLOWEST_S, message.size / self._rate)
            self._slow_until = max(now, self._slow_until) + took_s
        self._later.append((self._slow_until, packet))

    def end(self, code: int) -> None:
        """The updater has ended, with this exit code."""
        self._ended = code
        self._later.append((self._slow_until, None))

    def tick(self, now: float) -> None:
        """Let the device hear what has come over its link by now."""
        heard = False
        while self._later and self._later[0][0] <= now and self._code is None:
            _, packet = self._later.popleft()
            heard = True
            if packet is None:
                self._code, self._echo.over = self._ended, True
            else:
                self._echo.packets.append(packet)
        if heard:
            self._news()

    def _asked(self, name: str, version: str) -> bool:
        return messages.Ask(name=name, version=version) in self.spec.ask


class SharedUpdater:
    """Runs real updaters, one at a time, for whoever asks.

    Args:
        start: starts one, given what it is to do.
    """

    def __init__(self, start: Callable[[bytes], Child]) -> None:
        self._start = start
        self._waiting: list[Errand] = []
        self._served: list[Errand] = []
        self._open: list[Errand] = []
        self._next = 0.0
        self.child: Child | None = None
        self.runs = 0

    def ask(self, spec_json: bytes, bytes_per_s: int, news: Callable[[], None]) -> Errand:
        """Have done what a device wants; ``news`` is called when there is something to hear."""
        errand = Errand(UpdaterSpec.model_validate_json(spec_json), bytes_per_s, news)
        self._waiting.append(errand)
        return errand

    def tick(self, now: float) -> None:
        """Go on: read what the one that runs has said, or start one when it is time.

        Raises:
            OSError: this machine cannot start a process now.
        """
        if self.child is not None:
            self._read(self.child, now)
        elif self._waiting and now >= self._next:
            self._served, self._waiting = self._waiting, []
            self._open += self._served
            self._next = now + _GATHER_S
            self.runs += 1
            self.child = self._start(_merged([one.spec for one in self._served]).model_dump_json().encode())
        for errand in self._open:
            errand.tick(now)
        self._open = [one for one in self._open if not one.over]

    def close(self) -> None:
        """End the one that runs."""
        if self.child is not None:
            self.child.see_off(patient=False)
            self.child = None

    def _read(self, child: Child, now: float) -> None:
        code = child.exit_code()
        for _ in range(_PACKETS_A_TURN):
            packet = child.channel.receive()
            if not packet:
                break
            message = messages.parse(packet)
            for errand in self._served:
                errand.tell(message, packet, now)
        else:
            return  # there may be more
        if code is not None:
            child.close()
            self.child = None
            for errand in self._served:
                errand.end(code)
            self._served = []


def _merged(specs: list[UpdaterSpec]) -> UpdaterSpec:
    """What all of them want, of one updater."""
    floors: dict[str, int] = {}
    for spec in specs:
        floors |= {name: max(n, floors.get(name, 0)) for name, n in spec.floors.items()}
    return specs[0].model_copy(
        update={
            "ask": tuple(
                sorted({one for spec in specs for one in spec.ask}, key=lambda one: (one.name, one.version))
            ),
            "serving": tuple({one.digest: one for spec in specs for one in spec.serving}.values()),
            "keep": tuple(sorted({one for spec in specs for one in spec.keep})),
            "floors": floors,
        }
    )
