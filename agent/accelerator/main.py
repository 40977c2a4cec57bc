"""The accelerator program: it alone has an accelerator's library loaded, and runs workers' models on it.

``python -m agent.accelerator.main SOCKET_FD PAGE_FD SPEC_FD PARENT_PID`` is started by the supervisor, and
dies with it. It says ``opened`` once the device is open, and serves until it is told to stop.
Exit codes: 0 stopped, 1 failed (start me again), 78 the profile is wrong (don't).
"""

from __future__ import annotations

import faulthandler
import os
import sys
from typing import TYPE_CHECKING, NoReturn

import orjson

from agent import program
from agent.accelerator.spec import AcceleratorSpec
from agent.accelerators import delegate_of
from agent.errors import EXIT_CONFIG, EXIT_FAILED, EXIT_OK, AgentError, Fatal, Rejected
from agent.message import flattened
from agent.types import Phase
from agent.workers.confinement import confine_accelerator
from agent.workers.heartbeat import Page, Slot

if TYPE_CHECKING:
    from agent.ipc import Channel
    from agent.types import Backend, Delegate


def run(spec: AcceleratorSpec, channel: Channel, page: Page, delegate: Delegate) -> bool:
    """Open the accelerator and serve; give whether the supervisor has asked to stop.

    Raises:
        DelegateLost: its library or device cannot be used.
        ExtraMissing: there is no TFLite runtime.
    """
    from agent.accelerator import protocol
    from agent.accelerator.serving import Host
    from agent.backends import tflite

    kind, title = spec.accelerator.kind, spec.accelerator.title
    native = spec.accelerator.native
    cpu = tflite.Options(runtime=spec.runtime, xnnpack=kind != "cpu")
    opened = delegate.open(tflite.loader(cpu))

    def build(model: bytes, name: str) -> Backend:
        return tflite.build(cpu, model, name, opened, title)

    hello = protocol.Hello(title=title, variant=delegate.variant, native=native)
    said = {"type": "opened", "delegate": title, "description": delegate.describe()[:200]}
    channel.send(orjson.dumps(said))
    host = Host(channel, build, hello, lambda phase: page.enter(Slot.INFER, phase))
    try:
        return host.run()
    finally:
        page.enter(Slot.INFER, Phase.LOAD)  # freeing models is the library's work, too
        host.close()


def main() -> NoReturn:
    """Run the program; never returns."""
    channel, [page_fd], spec_json = program.begin()
    page = Page(page_fd)
    page.enter(Slot.INFER, Phase.START)
    faulthandler.enable()
    code = EXIT_FAILED
    try:
        spec = AcceleratorSpec.model_validate_json(spec_json)
        delegate = delegate_of(spec.accelerator)
        if spec.confine:  # before there is a second thread: rules are one thread's
            confine_accelerator(spec.hidden, delegate.needs())
        page.enter(Slot.INFER, Phase.LOAD)
        if run(spec, channel, page, delegate):
            code = EXIT_OK
    except AgentError as error:
        code = EXIT_CONFIG if isinstance(error, Fatal | Rejected) else EXIT_FAILED
        channel.send(orjson.dumps({"type": "fault", **flattened(error)}))
    except Exception as error:  # noqa: BLE001 - the boundary: say it, then let a new process start
        sys.excepthook(type(error), error, error.__traceback__)
        bug = AgentError(
            "serve", "accelerator", f"{type(error).__name__}: {error}", "This is a bug: report it"
        )
        channel.send(orjson.dumps({"type": "fault", **flattened(bug)}))
    # The library's own threads and destructors may hang: leave without waiting for them.
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
