"""The Neural Networks API on Linux boards whose vendor ports it: MediaTek's Genio boards, older ones of NXP.

Facts: MediaTek's layers for Yocto (meta-rity, meta-nn) build it as nnapi_external_delegate.so into /usr/lib;
it takes what the API takes, and hands it to the vendor's driver. Its options are the vendor's own. Not run on
the hardware yet: tests have a stand-in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.delegates import _external

if TYPE_CHECKING:
    from pathlib import Path

TRAITS = _external.Traits(
    kind="nnapi",
    libraries=("libnnapi_external_delegate.so", "nnapi_external_delegate.so"),
    install="Install the board vendor's NNAPI delegate",
    folders=("/vendor/lib64", "/vendor/lib"),
)


class Options(_external.Options):
    """What every delegate in a library can be told; which devices it opens is the vendor's matter."""


def build(options: Options, root: Path = _external.ROOT) -> _external.External:
    """Make the delegate; ``root`` is where /dev and the folders of libraries begin."""
    return _external.External(TRAITS, options, root=root)
