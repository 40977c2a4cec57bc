"""The worker program: one pipeline, from its source to results on the socket.

``python -m agent.workers.main SOCKET_FD PAGE_FD SPEC_FD PARENT_PID`` is started by the supervisor and dies
with it: by PR_SET_PDEATHSIG, and when the socket closes. With ``LaneSpec.prove`` it proves a model and ends.
Exit codes: 0 done, 1 failed (start me again), 78 the configuration, the model or a recording is wrong
(don't).
"""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NoReturn

import orjson

from agent import plugins
from agent.boards.accelerators import Lend
from agent.capture.feed import Feed
from agent.errors import (
    EXIT_CONFIG,
    EXIT_FAILED,
    EXIT_OK,
    AgentError,
    ConfigInvalid,
    Fatal,
    Rejected,
    Retryable,
)
from agent.pipeline.gate import Gate
from agent.pipeline.wanted import Wanted
from agent.processes import memory, program
from agent.processes.ipc import close_all
from agent.processes.message import flattened
from agent.types import Phase
from agent.validation import options
from agent.workers.confining import confine
from agent.workers.heartbeat import Page, Slot
from agent.workers.lending import Lending
from agent.workers.outlet import SocketOutlet, counts
from agent.workers.program.swapping import Resident, Swapper
from agent.workers.spec import Eased, LaneSpec

if TYPE_CHECKING:
    from agent.confinement.confine import Confinement
    from agent.processes.ipc import Channel
    from agent.types import Needs


def confined(spec: LaneSpec) -> Confinement:
    """Give up what this pipeline does not need. Only plugins' options are loaded by now, no native code.

    Raises:
        ConfigInvalid: there is no such plugin, or an option is wrong.
    """
    needs: list[Needs] = []
    wanted = [("backends", spec.backend, "backend", spec.backend_options)]
    if not (spec.prove or spec.apart):
        wanted.append(("sources", spec.source, "source", spec.source_options))
    for room, name, key, given in wanted:
        module = plugins.load(room, name, key, "kind")
        if hasattr(module, "needs"):
            needs.append(module.needs(options(module.Options, given, key)))
    return confine(spec, needs)


def run(
    spec: LaneSpec,
    outlet: SocketOutlet,
    page: Page,
    stop: threading.Event,
    *,
    confinement: Confinement,
    swapper: Swapper,
    gate: Gate,
    lending: Lending,
    feed: Feed,
    wanted: Wanted,
) -> str:
    """Build the pipeline that ``spec`` describes and run it to its end; give a remark on the end, or ""."""
    from agent.workers.program import easing
    from agent.workers.program.accelerating import Accelerating
    from agent.workers.program.assembly import assemble

    def inferring(phase: Phase) -> None:
        page.enter(Slot.INFER, phase)

    inferring(Phase.LOAD)
    pipeline = assemble(
        spec,
        stranger=confinement.stranger,
        reporter=outlet,
        outlet=outlet,
        stop=stop,
        beats=(lambda phase: page.enter(Slot.CAPTURE, phase), inferring),
        turned=swapper.turned,
        sends=outlet.medium,
        gate=gate,
        feed=feed,
        wanted=wanted,
    )
    make = partial(easing.make, beat=inferring)
    accelerating = Accelerating(outlet, Resident(easing.resolved(spec), pipeline.slot.engine))
    swapper.begin(pipeline.slot, make, spec, accelerating, resolved=easing.resolved)
    outlet.begun = memory.settle()  # no thread of the pipeline has begun yet
    held = {"landlock": confinement.landlock, "seccomp": confinement.seccomp}
    further = list(pipeline.stages.facts())
    outlet.say({"type": "ready", **pipeline.slot.engine.facts, "confined": held, "stages": further})
    lending.begin(accelerating)
    try:
        remark = pipeline.runner.run()
    finally:
        pipeline.finish()
        pipeline.slot.engine.backend.close()
        pipeline.stages.close()
    outlet.say({"type": "ended", "ledger": counts(pipeline.slot.ledger()), "remark": remark[:4000]})
    return remark


def prove(spec: LaneSpec, outlet: SocketOutlet, page: Page, lending: Lending) -> None:
    """Prove the model that ``spec`` names, and say what was found."""
    from agent.workers.program.proving import prove as proved

    page.enter(Slot.INFER, Phase.LOAD)
    outlet.say({"type": "proved", **proved(spec, lambda phase: page.enter(Slot.INFER, phase), lending)})


def _exit_code(error: AgentError, *, once: bool) -> int:
    """What a new process would do no better at, or shall not try again, is not worth a restart."""
    final = isinstance(error, (Fatal, Rejected)) or (once and isinstance(error, Retryable))
    return EXIT_CONFIG if final else EXIT_FAILED


def _fault(error: AgentError) -> dict[str, object]:
    loc = error.loc if isinstance(error, ConfigInvalid) else ()
    return {
        "type": "fault",
        **flattened(error),
        "loc": [part if isinstance(part, int) else part[:200] for part in loc[:32]],
    }


@dataclass(frozen=True, slots=True)
class _Hands:
    """What the supervisor moves, in other threads."""

    stop: threading.Event
    swapper: Swapper
    lending: Lending
    gate: Gate
    feed: Feed
    wanted: Wanted


def _follow(channel: Channel, hands: _Hands) -> None:
    """Obey the supervisor, and leave at once when it is gone."""
    while (got := channel.receive_with())[0]:
        packet, descriptors = got
        match orjson.loads(packet or b"{}"):
            case {"type": "accelerate"} as terms if descriptors:
                hands.lending.lend(Lend.model_validate(terms), descriptors.pop())
            case {"type": "feed"} if descriptors:
                hands.feed.lend(descriptors.pop())
            case order:
                _obey(order, hands)
        close_all(descriptors)
    os._exit(EXIT_FAILED)


def _obey(order: object, hands: _Hands) -> None:
    match order:
        case {"type": "relieve", "generation": generation}:
            hands.lending.relieve(generation)
        case {"type": "stop"}:
            hands.stop.set()
        case {"type": "swap", "model": model, "digest": digest, "token": token}:
            hands.swapper.ask(model, digest, token)
        case {"type": "settle"}:
            hands.swapper.settle()
        case {"type": "ease", "threads": threads, "variant": variant, "token": token}:
            hands.swapper.ease(Eased(threads=threads, variant=variant), token)
        case {"type": "pace", "fps": fps, "paused": paused}:
            hands.gate.set(fps, paused=paused)
        case {"type": "picture", "token": int(token)}:
            hands.wanted.ask(token)


def main() -> NoReturn:
    """Run the program; never returns."""
    channel, [page_fd], spec_json = program.begin()
    page = Page(page_fd)
    spec = LaneSpec.model_validate_json(spec_json)
    if spec.folder:  # relative paths start where the configuration stands
        os.chdir(spec.folder)
    if spec.once:
        program.hush()
    else:
        faulthandler.enable()
    outlet = SocketOutlet(channel, page)
    stop, gate = threading.Event(), Gate(most_fps=spec.max_rate)
    swapper = Swapper(outlet, lambda phase: page.enter(Slot.LOAD, phase))
    lending, feed, wanted = Lending(), Feed(), Wanted()
    code = EXIT_OK
    try:
        confinement = confined(spec)  # before there is a second thread: rules are one thread's
        control = channel, _Hands(stop, swapper, lending, gate, feed, wanted)
        threading.Thread(target=_follow, args=control, name="control", daemon=True).start()
        if spec.prove:
            prove(spec, outlet, page, lending)
        else:
            run(
                spec, outlet, page, stop,
                confinement=confinement, swapper=swapper, lending=lending, gate=gate, feed=feed,
                wanted=wanted,
            )  # fmt: skip
    except AgentError as error:
        code = _exit_code(error, once=spec.once)
        outlet.say(_fault(error))
    except Exception as error:  # noqa: BLE001 - the boundary: say it, then let a new process start
        code = EXIT_FAILED
        sys.excepthook(type(error), error, error.__traceback__)
        bug = AgentError("run", spec.pipeline, f"{type(error).__name__}: {error}", "This is a bug: report it")
        outlet.say(_fault(bug))
    # Native threads may hang: leave without waiting for them.
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
