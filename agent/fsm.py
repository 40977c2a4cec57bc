"""State machines as tables."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

S = TypeVar("S", bound=Enum)
E = TypeVar("E", bound=Enum)


class IllegalTransition(RuntimeError):
    """The table has no row for this state and event."""


class Machine(Generic[S, E]):
    """A state and its transition table; persists nothing, sleeps never."""

    def __init__(self, table: Mapping[tuple[S, E], S], state: S) -> None:
        self._table = table
        self.state = state

    def fire(self, event: E) -> S:
        """Move to the next state and return it.

        Raises:
            IllegalTransition: the table has no row for (state, event); the state is unchanged.
        """
        try:
            self.state = self._table[self.state, event]
        except KeyError:
            raise IllegalTransition(f"{event.name} in state {self.state.name}") from None
        return self.state

    def accepts(self, event: E) -> bool:
        """Whether ``fire(event)`` would be legal now."""
        return (self.state, event) in self._table
