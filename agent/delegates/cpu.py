"""The CPU with the runtime's plain kernels: what works everywhere, and stands in for everything else."""

from __future__ import annotations

from agent.delegates import _cpu


class Options(_cpu.Options):
    """None: threads are the pipeline's `backend`."""


def build(options: Options) -> _cpu.Cpu:  # noqa: ARG001 - there are none
    """Make it."""
    return _cpu.Cpu("the runtime's own kernels")
