"""The accelerator program: it alone has an accelerator's library loaded, and runs workers' models on it.

``python -m agent.accelerator.main SOCKET_FD PAGE_FD SPEC_FD PARENT_PID`` is started by the supervisor, and
dies with it. It says ``opened`` once the device is open, and serves until it is told to stop.
Exit codes: 0 stopped, 1 failed (start me again), 78 the profile is wrong (don't).
"""

from __future__ import annotations

import faulthandler
from typing import TYPE_CHECKING, NoReturn

import orjson

from agent.accelerator.spec import AcceleratorSpec
from agent.boards.accelerators import delegate_of
from agent.confinement.confine import confine_owner
from agent.processes import program
from agent.types import Phase
from agent.workers.heartbeat import Page, Slot

if TYPE_CHECKING:
    from agent.boards.delegation import Delegate
    from agent.processes.ipc import Channel
    from agent.types import Backend


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

    def serve() -> bool:
        spec = AcceleratorSpec.model_validate_json(spec_json)
        delegate = delegate_of(spec.accelerator)
        if spec.confine:  # before there is a second thread: rules are one thread's
            confine_owner(spec.hidden, delegate.needs())
        page.enter(Slot.INFER, Phase.LOAD)
        return run(spec, channel, page, delegate)

    program.serve(channel, "accelerator", serve)


if __name__ == "__main__":
    main()
