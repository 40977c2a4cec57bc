"""The CPU with XNNPACK's kernels, which both runtimes have in themselves, and mostly are faster."""

from __future__ import annotations

from agent.delegates import _cpu


class Options(_cpu.Options):
    """None: threads are the pipeline's `backend`."""


def build(options: Options) -> _cpu.Cpu:  # noqa: ARG001 - there are none
    """Make it."""
    return _cpu.Cpu("XNNPACK, inside the runtime")
