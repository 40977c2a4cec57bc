"""The demo's operator, who rolls out models with edgectl; and the attacker, who owns the broker.

What they do takes seconds. Each step is a process of its own, and ``look`` only looks how far it is.
"""

from __future__ import annotations

import json
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from agent.demo import models
from agent.demo.standing import in_words, wanted
from agent.errors import AgentError
from agent.fleet.repository.begin import begin

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence
    from pathlib import Path

    from agent.demo.broker import Broker
    from agent.demo.models import Made
    from agent.demo.programs import Programs

    Script = Generator[None, None, bool]

Act = Literal["rolled out", "refused"]

_EDGECTL, _ATTACKER = "agent.fleet.main", "agent.demo.attacker"
_TOOLS = ("publish", "deploy", "attacker")
_LIMIT_S = 120.0
"""An act that has come to no end by then has failed."""
_FRAMES, _SECONDS = 60, 2
"""The probation: short, since somebody watches."""
_CHUNK = 0
"""Which one the attacker changes."""
_BUSY = "one thing at a time: this is still going on"
_CUT = "the broker was cut in the middle of it: begin again when it is back"
_NO_BROKER = "the broker is cut: bring it back first"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A bundle that was tampered with, and what the device says of it."""

    title: str
    digest: str
    reason: str


class Rollouts:
    """One thing at a time: roll out the better model, or have one tampered with on its way.

    Args:
        folder: the demo's; the operator's is ``keys`` in it.
        programs: starts the tools.
        broker: where all meet.
        fleet: the fleet.
        device: its only device, whose first pipeline gets the models.
        pipeline: that pipeline's name.

    Attributes:
        said: how far it is.
        outcomes: whether all of a kind came to a good end; what was not begun, or was broken off, is not
            there.
        refusals: what the device has refused, and why.
    """

    def __init__(  # noqa: PLR0917 - where all of it happens
        self, folder: Path, programs: Programs, broker: Broker, fleet: str, device: str, pipeline: str
    ) -> None:
        self._folder, self._programs, self._broker = folder, programs, broker
        self._fleet, self._device, self._pipeline = fleet, device, pipeline
        self._passphrase = secrets.token_urlsafe(16)
        self._script: Script | None = None
        self._act: Act = "rolled out"
        self._give_up = 0.0
        self._further = 0
        self._better: Made | None = None
        self._one: Mapping[str, Any] = {"model": None, "wants": None}
        self.said = ""
        self.outcomes: dict[Act, bool] = {}
        self.refusals: list[Refusal] = []

    @contextmanager
    def making_keys(self) -> Iterator[None]:
        """Make the keys of the models, and the repository, while something else is done.

        Raises:
            AgentError: they cannot be made.
        """
        with ThreadPoolExecutor(1, "keys") as pool:
            made = pool.submit(begin, self._folder / "keys", lambda: self._passphrase)
            yield
            made.result()

    @property
    def busy(self) -> bool:
        """Whether something is going on."""
        return self._script is not None

    def improve(self) -> str:
        """Begin to roll out the better model; say what is done."""
        title = f"{models.NAME}@{models.version()}"
        if not self.busy and self._one["model"] == title:
            return f"{title} serves already"
        return self._begin("rolled out", self._improve())

    def tamper(self) -> str:
        """Begin to publish a version that an attacker then changes on its way; say what is done."""
        return self._begin("refused", self._tamper())

    def look(self, status: Mapping[str, Any] | None) -> None:
        """See how far it is; to be called often.

        Args:
            status: the agent's; None while it does not answer.
        """
        if status is not None:
            self._one = status["pipelines"][0]
        if self._script is None:
            return
        try:
            next(self._script)
        except StopIteration as end:
            self._end(good=bool(end.value))
        except AgentError as error:
            self.said = str(error)
            self._end(good=False)
        else:
            if time.monotonic() > self._give_up:
                self.said = f"given up after {_LIMIT_S:.0f} s: {self.said}"
                self._end(good=False)

    def break_off(self) -> None:
        """The broker goes: what is going on comes to no end."""
        if self._script is not None:
            self.said = _CUT
            self.stop()

    def stop(self) -> None:
        """Go on with nothing."""
        self._programs.kill(*_TOOLS)
        self._script = None

    def _begin(self, act: Act, script: Script) -> str:
        if self.busy:
            return f"{_BUSY}: {self.said}"
        if self._broker.pid is None:
            return _NO_BROKER
        self._act, self._script = act, script
        self._give_up = time.monotonic() + _LIMIT_S
        next(script)
        return self.said

    def _end(self, *, good: bool) -> None:
        self._programs.kill(*_TOOLS)
        self._script = None
        self.outcomes[self._act] = good and self.outcomes.get(self._act, True)

    def _improve(self) -> Script:
        if self._better is None:
            self._better = models.make(self._folder / "better")
        made = self._better
        self.said = f"{made.title}: the operator signs it, and the broker keeps it"
        yield from self._publish(made)
        self.said = f"{made.title}: the operator signs that this device shall run it"
        generation = yield from self._deploy(made)
        while True:
            wants = self._wants(made, generation)
            if wants and wants["state"] == "active" and self._one["model"] == made.title:
                self.said = f"{made.title} serves: proved, swapped in between two frames, and tried"
                return True
            if wants:
                self.said = f"{made.title}: {in_words(wants)}"
            if wants and wants["state"] in {"rejected", "rolled_back"}:
                return False
            yield

    def _tamper(self) -> Script:
        self._further += 1
        made = models.make(self._folder / f"further-{self._further}", further=self._further)
        self.said = f"{made.title}: the operator signs it, and the broker keeps it"
        yield from self._publish(made)
        self.said = f"{made.title}: an attacker changes one byte of it on the broker"
        where = (str(self._broker.port), self._broker.protocol, self._fleet)
        self._programs.start("attacker", _ATTACKER, *where, made.model.sha256, str(_CHUNK))
        yield from self._ended("attacker")
        self.said = f"{made.title}: the operator, unaware, signs that this device shall run it"
        generation = yield from self._deploy(made)
        while True:
            wants = self._wants(made, generation)
            if wants and f"chunks {_CHUNK} came damaged" in wants["reason"]:
                self.refusals.append(Refusal(made.title, made.digest, wants["reason"]))
                self.said = f"{made.title} refused: not the bytes that were signed. The old one serves on"
                return True
            if wants:
                self.said = f"{made.title}: {in_words(wants)}"
            if wants and wants["state"] != "downloading":
                return False
            yield

    def _publish(self, made: Made) -> Generator[None, None, None]:
        self._edgectl("publish", str(made.folder), *self._where())
        yield from self._ended("publish")

    def _deploy(self, made: Made) -> Generator[None, None, int]:
        """Have the device run a model; give the generation of the desired state that says so."""
        terms = ("--probation-frames", str(_FRAMES), "--probation-seconds", str(_SECONDS))
        what = (self._device, made.title, "--pipeline", self._pipeline, *terms)
        self._edgectl("deploy", *what, *self._where())
        yield from self._ended("deploy")
        [told] = [line for line in self._programs.lines("deploy") if line.startswith("{")]
        return int(json.loads(told)["generation"])

    def _wants(self, made: Made, generation: int) -> Mapping[str, Any] | None:
        """Give what the device says of this deployment, once it has taken it."""
        wants: Mapping[str, Any] | None = self._one["wants"]
        if wants is None or wants["generation"] < generation or wanted(self._one) != made.title:
            return None
        return wants

    def _where(self) -> Sequence[str]:
        host = ("--host", "127.0.0.1", "--port", str(self._broker.port))
        keys = str(self._folder / "keys")
        return (*host, "--protocol", self._broker.protocol, "--fleet", self._fleet, "--dir", keys)

    def _edgectl(self, verb: str, *arguments: str) -> None:
        environment = {"EDGECTL_PASSPHRASE": self._passphrase}
        self._programs.start(verb, _EDGECTL, verb, *arguments, "--json", environment=environment)

    def _ended(self, name: str) -> Generator[None, None, None]:
        """Wait for a tool.

        Raises:
            AgentError: it has failed.
        """
        while (code := self._programs.code(name)) is None:
            yield
        if code:
            raise AgentError("run", name, self._programs.last_words(name))
