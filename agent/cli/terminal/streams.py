"""The standard streams of our programs: always open, whatever the caller closed."""

from __future__ import annotations

import os
import sys


def open_missing_streams() -> None:
    """Open /dev/null in place of each standard stream that is closed.

    Else the next file that we open would get its number, and what is meant for a terminal would go into it.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode))
