"""Any other library with TFLite's interface for external delegates.

Facts: that interface is tensorflow/lite/delegates/external/external_delegate_interface.h. NXP's
libneutron_delegate.so (i.MX 95), Mesa's libteflon.so and others have it. Only the stand-in of the tests was
run.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import Field

from agent.delegates import _external

if TYPE_CHECKING:
    from pathlib import Path

TRAITS = _external.Traits(kind="external", libraries=(), install="Install the library, or correct its name")


class Options(_external.Options):
    """Which library."""

    library: str = Field(
        pattern=r"^(/[^\x00]+|[^/\x00]+)$",
        description="an absolute path, or a file name that is looked for where libraries are",
    )
    variant: str = Field(
        default="",
        pattern=r"^([a-z][a-z0-9_]{0,31})?$",
        description="the bundle's variant that it runs; empty: the model that any CPU runs",
    )


def build(options: Options, root: Path = _external.ROOT) -> _external.External:
    """Make the delegate; ``root`` is where /dev and the folders of libraries begin."""
    return _external.External(replace(TRAITS, variant=options.variant), options, root=root)
