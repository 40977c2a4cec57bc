"""Which licence a Python distribution says that it has, as SPDX names it where that is known; pure.

The fields are those of https://packaging.python.org/en/latest/specifications/core-metadata/.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

_SPDX = {
    "Apache 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "3-Clause BSD License": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
}
"""What packages write, whose metadata is older than SPDX's names in it."""
_MOST = 60
"""Characters of a name: some packages put the whole text there."""


class About(Protocol):
    """A distribution's metadata: an ``email.message.Message``, or what importlib.metadata gives."""

    def get_all(self, name: str, failobj: None = None, /) -> Sequence[str] | None:
        """Give all values of a field."""


def licence(about: About) -> str:
    """Give the expression of PEP 639, else the old field where it is a name, else classifiers; "" else."""
    for expression in about.get_all("License-Expression") or ():
        return str(expression)
    for named in about.get_all("License") or ():
        name = str(named).strip()
        if name and len(name) <= _MOST and "\n" not in name:
            return _SPDX.get(name, name)
    classified = [str(one) for one in about.get_all("Classifier") or ()]
    ends = [one.rpartition(" :: ")[2] for one in classified if one.startswith("License :: ")]
    return " AND ".join(_SPDX.get(one, one) for one in ends)
