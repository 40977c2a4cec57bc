"""Sensors whose values the kernel shows as files, one number each: hwmon and IIO."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from agent.errors import SourceLost
from agent.sources._pace import Pace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from agent.types import Array

_MOST_BYTES = 64


@dataclass(frozen=True, slots=True)
class Attribute:
    """A file with a number, and what the number means: (stored + offset) * scale."""

    path: Path
    scale: float
    offset: float = 0.0


class Attributes:
    """Implements ``Feed``: reads a few files at a steady pace. They are open only while they are read."""

    def __init__(self, name: str, attributes: Sequence[Attribute], rate: float) -> None:
        self._name = name
        self._attributes = attributes
        self._pace = Pace(1 / rate)

    @property
    def name(self) -> str:
        """The device's name."""
        return self._name

    def take(self, timeout_s: float) -> list[tuple[Array, Array] | str]:
        """Read all files once, when that is due: one sample.

        Raises:
            SourceLost: a file is gone, or its driver reports an error.
        """
        return [self.sample()] if self._pace.wait(timeout_s) else []

    def sample(self) -> tuple[Array, Array] | str:
        """Read all files once, now.

        Raises:
            SourceLost: as ``take``.
        """
        values = []
        for one in self._attributes:
            try:
                with one.path.open("rb", buffering=0) as file:
                    told = file.read(_MOST_BYTES).decode(errors="replace").strip()
            except OSError as error:
                raise _lost(self._name, one.path.name, error) from error
            try:
                values.append((float(told) + one.offset) * one.scale)
            except ValueError:
                return f"{one.path.name} is no number: {told[:40]!r}"
        return np.array([time.monotonic_ns()]), np.array([values])

    def close(self) -> None:
        """Release nothing: no file is open."""


def _lost(name: str, file: str, error: OSError) -> SourceLost:
    problem = f"{file}: {(error.strerror or 'it cannot be read').lower()}"
    hint = "Check that it is plugged in, and its driver loaded; dmesg tells more"
    return SourceLost("read sensor", name, problem, hint)
