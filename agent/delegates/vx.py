"""VeriSilicon's NPUs through OpenVX: NXP's i.MX 8M Plus, Amlogic's A311D and others.

Facts: the library's options are those of VeriSilicon's tflite-vx-delegate (vx_delegate_adaptor.cc):
`allowed_cache_mode` and `cache_file_path` load a compiled graph instead of compiling it at each start, which
takes seconds to minutes. The driver's node is /dev/galcore. Not run on the hardware yet: tests have a
stand-in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from agent.delegates import _external

if TYPE_CHECKING:
    from pathlib import Path

TRAITS = _external.Traits(
    kind="vx",
    libraries=("libvx_delegate.so",),
    install="Install the board vendor's VX delegate (tensorflow-lite-vx-delegate in NXP's Yocto)",
    devices=("/dev/galcore",),
    demanded=True,
)


class Options(_external.Options):
    """Where the compiled graph is, if there is one."""

    cache: str = Field(
        default="",
        pattern=r"^(/[^\x00]*)?$",
        description="a compiled graph of this one model, made beforehand; it is only read; empty: none",
    )


def build(options: Options, root: Path = _external.ROOT) -> _external.External:
    """Make the delegate; ``root`` is where /dev and the folders of libraries begin."""
    if not options.cache:
        return _external.External(TRAITS, options, root=root)
    passed: dict[str, _external.Option] = {"allowed_cache_mode": True, "cache_file_path": options.cache}
    return _external.External(TRAITS, options, passed, root, read=(options.cache,))
