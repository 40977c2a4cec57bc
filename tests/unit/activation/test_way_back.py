"""A way back by hand is taken once for each command, whenever the agent dies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from agent.activation.way_back import WayBack
from agent.clerk import Clerk
from agent.errors import Rejected
from agent.slots import Change, Kept, Note
from tests.simulators.clocks import ManualClock

if TYPE_CHECKING:
    from agent.activation.steering import Steering


class Store:
    """Notes what is written."""

    def __init__(self) -> None:
        self.documents: dict[str, bytes] = {}
        self.changes = 0

    def change(self, change: Change, token: int) -> None:
        self.changes += 1
        self.documents |= change.documents


class Course:
    """Goes back so often, and no further."""

    def __init__(self, clerk: Clerk, models: int) -> None:
        self._clerk, self.models = clerk, models

    def rollback(self, now: float) -> None:
        if not self.models:
            raise Rejected("roll back", "door", "there is no model to go back to")
        self.models -= 1
        self._clerk.keep(Change(notes=(Note("model.rolled_back", "door"),)))


def way_back(store: Store, kept: Kept, models: int = 2) -> tuple[WayBack, Course]:
    clerk = Clerk(store, (0, ""))
    course = Course(clerk, models)

    class Stage:
        def __init__(self) -> None:
            self.course = course

    steerings = cast("dict[str, Steering]", {"door": cast("Any", Stage())})
    return WayBack(steerings, clerk, kept, ManualClock()), course


def test_the_command_is_named_in_the_transaction_of_the_slots_and_known_after_a_start() -> None:
    store = Store()
    back, course = way_back(store, Kept())
    assert not back.rolled_back("test-0001")
    back.rollback("door", "test-0001")
    assert (store.changes, course.models) == (1, 1)
    again, _ = way_back(store, Kept(documents=store.documents))
    assert again.rolled_back("test-0001")
    assert not again.rolled_back("test-0002")


def test_where_there_is_no_way_back_nothing_is_named() -> None:
    store = Store()
    back, _ = way_back(store, Kept(), models=0)
    for pipeline in ("door", "window"):
        with pytest.raises(Rejected):
            back.rollback(pipeline, "test-0001")
    assert not back.rolled_back("test-0001")
    assert not store.changes
