"""Changes go to the store in order, and wait when it has no room."""

from __future__ import annotations

from agent.clerk import Clerk
from agent.errors import StoreBusy
from agent.slots import Change, Note


class FullStore:
    """Takes so many changes."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.taken: list[tuple[int, str]] = []

    def change(self, change: Change, token: int) -> None:
        if len(self.taken) >= self.room:
            raise StoreBusy("change", "folder", "too many wait")
        self.taken.append((token, change.notes[0].subject))


def change(name: str) -> Change:
    return Change(notes=(Note("model.wanted", name),))


def test_what_the_store_has_no_room_for_is_offered_again_in_order() -> None:
    store = FullStore(1)
    clerk = Clerk(store, (0, ""))
    tokens = [clerk.keep(change(name)) for name in "abc"]
    assert store.taken == [(tokens[0], "a")]
    store.room = 9
    clerk.tick(10.0)
    assert store.taken == list(zip(tokens, "abc", strict=True))


def test_two_clerks_of_one_store_never_give_the_same_token() -> None:
    store = FullStore(9)
    clerks = Clerk(store, (0, "")), Clerk(store, (0, ""))
    tokens = [clerk.keep(change("a")) for clerk in clerks * 2]
    assert sorted(set(tokens)) == tokens


def test_a_document_that_goes_along_is_written_with_the_next_change_and_no_other() -> None:
    taken: list[Change] = []

    class Store:
        def change(self, change: Change, token: int) -> None:
            taken.append(change)

    clerk = Clerk(Store(), (0, ""))
    clerk.along = {"rollback": b"id"}
    clerk.keep(change("a"))
    clerk.keep(change("b"))
    assert [one.documents for one in taken] == [{"rollback": b"id"}, {}]


def test_what_follows_is_done_once_when_the_change_is_durable() -> None:
    done: list[str] = []
    clerk = Clerk(FullStore(9), (4, "ab"))
    token = clerk.keep(change("a"), lambda: done.append("a"))
    clerk.keep(change("b"))
    assert (done, clerk.audit) == ([], (4, "ab"))
    for _ in range(2):
        clerk.durable(token, (5, "cd"))
    assert (done, clerk.audit) == (["a"], (5, "cd"))


def test_it_is_busy_while_much_waits() -> None:
    clerk = Clerk(FullStore(0), (0, ""))
    for _ in range(64):
        clerk.keep(change("a"))
    assert not clerk.busy
    clerk.keep(change("a"))
    assert clerk.busy
