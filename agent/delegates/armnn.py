"""Arm NN: Mali GPUs and Arm CPUs with Arm's own kernels.

Facts: the options are those of Arm's delegate (armnnDelegate::DelegateOptions,
delegate/DelegateQuickStartGuide.md): `backends` are tried from left to right for each operator, `GpuAcc`
needs OpenCL. The driver's node is /dev/mali0, or in /dev/dri. The library's version is in its file's name.
Not run on the hardware yet: tests have a stand-in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from agent.delegates import _external

if TYPE_CHECKING:
    from pathlib import Path

TRAITS = _external.Traits(
    kind="armnn",
    libraries=("libarmnnDelegate.so",),
    install="Install Arm NN with its TFLite delegate (github.com/ARM-software/armnn, Releases)",
    devices=("/dev/mali0", "/dev/dri"),
    silent="Check that its back ends are installed, and that this user may open the GPU",
)


class Options(_external.Options):
    """What Arm NN runs on."""

    backends: str = Field(
        default="GpuAcc,CpuAcc",
        pattern=r"^[A-Za-z]+(,[A-Za-z]+)*$",
        description="Arm NN's back ends in order, with commas: `GpuAcc`, `CpuAcc`, `CpuRef` and others",
    )


def build(options: Options, root: Path = _external.ROOT) -> _external.External:
    """Make the delegate; ``root`` is where /dev and the folders of libraries begin."""
    return _external.External(TRAITS, options, {"backends": options.backends}, root)
