"""The capture program: it opens one source, and shares each of its frames with several pipelines' workers.

``python -m agent.capture.main SOCKET_FD PAGE_FD SPEC_FD PARENT_PID`` is started by the supervisor, and dies
with it. It serves until it is told to stop; a source that is lost is opened again, and one that can never be
opened is refused to each reader, which then ends for that.
Exit codes: 0 stopped, 1 failed (start me again).
"""

from __future__ import annotations

import faulthandler
import os
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from typing import TYPE_CHECKING, NoReturn

import orjson

from agent import plugins
from agent.capture.spec import CaptureSpec
from agent.confinement.confine import Confinement, confine_owner
from agent.errors import Fatal, Rejected
from agent.processes import memory, program
from agent.types import Needs, Phase
from agent.validation import options
from agent.workers.heartbeat import Page, Slot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.processes.ipc import Channel
    from agent.types import Frame, Source

_THREADS = 2
"""The main one, which loads nothing any more, and the one that reads."""
_LEAVE_S = 1.0
"""How long a source has for being closed."""


def confined(spec: CaptureSpec) -> Confinement:
    """Give up what this source does not need. Only its options are loaded by now, no native code.

    Raises:
        ConfigInvalid: there is no such source, or an option is wrong.
    """
    module = plugins.load("sources", spec.kind, "source", "kind")
    checked = options(module.Options, spec.options, "source")
    needs: Needs = module.needs(checked) if hasattr(module, "needs") else Needs()
    return confine_owner(spec.hidden, needs) if spec.confine else Confinement()


def run(spec: CaptureSpec, channel: Channel, page: Page) -> bool:
    """Read the source and serve its readers; give whether the supervisor has asked to stop.

    Raises:
        AgentError: this process cannot go on.
    """
    open_source = _opener(spec)
    from agent.capture.hub import Hub
    from agent.capture.pump import Pump
    from agent.capture.serving import Host

    def say(message: Mapping[str, object]) -> None:
        channel.send(orjson.dumps(message))

    stop, over = threading.Event(), threading.Event()
    hub = Hub(frozenset(spec.pipelines))
    pump = Pump(
        open_source=_settled(open_source),
        hub=hub,
        say=say,
        beat=partial(page.enter, Slot.CAPTURE),
        stop=stop,
        prepare=_preparing(spec),
    )
    executor = ThreadPoolExecutor(1, "capture")
    reading = executor.submit(pump.run)
    executor.shutdown(wait=False)
    reading.add_done_callback(lambda done: over.set() if done.exception() else None)
    host = Host(channel, hub, partial(page.enter, Slot.INFER), over)
    asked = host.run()
    if over.is_set():
        reading.result()
    stop.set()
    wait([reading], _LEAVE_S)
    host.close()
    hub.close()
    return asked


def _opener(spec: CaptureSpec) -> Callable[[int], Source]:
    """Confine this process, and give what opens the source; where that cannot be, what says why."""
    try:
        confinement = confined(spec)  # before there is a second thread: rules are one thread's
        from agent.workers.opening import opener

        return opener(spec.kind, spec.options, confinement.stranger)
    except (Fatal, Rejected) as error:
        refusal = error

    def refuse(_start: int) -> Source:
        raise refusal

    return refuse


def _settled(open_source: Callable[[int], Source]) -> Callable[[int], Source]:
    """Have what the first opening leaves behind given back, where the source has no thread of its own."""
    fresh = True

    def opened(start: int) -> Source:
        nonlocal fresh
        source = open_source(start)
        if fresh and threading.active_count() == _THREADS:
            memory.settle()
        fresh = False
        return source

    return opened


def _preparing(spec: CaptureSpec) -> Callable[[Frame], Frame] | None:
    if not spec.privacy:
        return None
    from agent.pipeline.privacy import Privacy

    return Privacy(spec.privacy)


def main() -> NoReturn:
    """Run the program; never returns."""
    channel, [page_fd], spec_json = program.begin()
    page = Page(page_fd)
    page.enter(Slot.INFER, Phase.START)
    faulthandler.enable()
    os.environ["OPENCV_FOR_THREADS_NUM"] = "1"  # as in workers: cv2's pool only adds switches

    def serve() -> bool:
        spec = CaptureSpec.model_validate_json(spec_json)
        if spec.folder:  # relative paths start where the configuration stands
            os.chdir(spec.folder)
        return run(spec, channel, page)

    program.serve(channel, "capture", serve)


if __name__ == "__main__":
    main()
