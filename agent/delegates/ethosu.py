"""Arm's Ethos-U: the NPU of NXP's i.MX 93.

Facts: the options are those of NXP's tflite-ethosu-delegate-imx (ethosu_delegate_adaptor.cc): `device_name`,
`timeout` in nanoseconds, `cache_file_path` and counters. It takes models that Arm's compiler Vela has
compiled, which a bundle then has as a variant. Not run on the hardware yet: tests have a stand-in.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import Field

from agent.delegates import _external

if TYPE_CHECKING:
    from pathlib import Path

TRAITS = _external.Traits(
    kind="ethosu",
    libraries=("libethosu_delegate.so",),
    install="Install the board vendor's Ethos-U delegate (tensorflow-lite-ethosu-delegate in NXP's Yocto)",
    demanded=True,
)


class Options(_external.Options):
    """Which NPU, and which of a bundle's files it runs."""

    device: str = Field(
        default="/dev/ethosu0",
        pattern=r"^/dev/[^\x00]+$",
        description="the device node that the library opens",
    )
    variant: str = Field(
        default="",
        pattern=r"^([a-z][a-z0-9_]{0,31})?$",
        description="the bundle's variant that Vela has compiled; empty: the model that any CPU runs",
    )


def build(options: Options, root: Path = _external.ROOT) -> _external.External:
    """Make the delegate; ``root`` is where /dev and the folders of libraries begin."""
    traits = replace(TRAITS, devices=(options.device,), variant=options.variant)
    return _external.External(traits, options, {"device_name": options.device}, root)
