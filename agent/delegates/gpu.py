"""TFLite's GPU delegate: OpenCL or OpenGL on the board's GPU.

Facts: MediaTek's layers for Yocto build it as gpu_external_delegate.so into /usr/lib. The
libtensorflowlite_gpu_delegate.so that TensorFlow's own build makes lacks the interface for external delegates
(tensorflow/tensorflow#46498); one that was built with it is found, too. Nodes: /dev/dri, Mali's /dev/mali0,
Adreno's /dev/kgsl-3d0; a Jetson's go into `devices`. Not run on the hardware yet: tests have a stand-in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.delegates import _external

if TYPE_CHECKING:
    from pathlib import Path

TRAITS = _external.Traits(
    kind="gpu",
    libraries=(
        "libgpu_external_delegate.so",
        "gpu_external_delegate.so",
        "libtensorflowlite_gpu_delegate.so",
    ),
    install="Install a GPU delegate that is built as an external delegate, with OpenCL",
    devices=("/dev/dri", "/dev/mali0", "/dev/kgsl-3d0"),
    silent="Check that OpenCL works for this user (clinfo)",
)


class Options(_external.Options):
    """What every delegate in a library can be told."""


def build(options: Options, root: Path = _external.ROOT) -> _external.External:
    """Make the delegate; ``root`` is where /dev and the folders of libraries begin."""
    return _external.External(TRAITS, options, root=root)
