from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from agent.commands import log_level, logs
from agent.commands.seams import Order, Reach
from agent.documents import loglines
from agent.errands import ring as rings
from agent.errands.logs import LINES_A_SECOND, Logs, Sender
from agent.errors import NotSigned, Rejected
from agent.redaction import Redactor
from agent.trust.signing import Signer, Verifier, generate
from tests.simulators.clocks import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.documents.loglines import LogLines

PRIVATE, PUBLIC = generate()
KEY, VERIFIER = Signer.from_pem(PRIVATE), Verifier.from_pem(PUBLIC)


@dataclass
class Desk:
    """A log of its own, whose written lines and sent documents are seen."""

    clock: ManualClock = field(default_factory=ManualClock)
    online: bool = True
    sent: list[bytes] = field(default_factory=list)
    written: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.logger = logging.Logger("of a test")  # noqa: LOG001 - nobody else is to find it
        self.handler = logging.Handler()
        self.handler.emit = lambda record: self.written.append(record.getMessage())  # type: ignore[method-assign]
        self.logger.addHandler(self.handler)
        sender = Sender("f", "d", "edge/v1/f/d/d/up/logs", KEY, self.publish)
        self.logs = Logs("info", Redactor(["hunter2"]), sender, self.clock, self.logger)
        self.reach = Reach(device="d", status=dict, logs=self.logs)

    def publish(self, topic: str, payload: bytes, retain: bool) -> int | None:
        assert (topic, retain) == ("edge/v1/f/d/d/up/logs", False)
        if not self.online:
            return None
        self.sent.append(payload)
        return len(self.sent)

    def wait(self, seconds: float) -> None:
        self.clock.now += seconds
        self.logs.tick(self.clock.now)

    @property
    def documents(self) -> list[LogLines]:
        return [loglines.decode(one, VERIFIER, fleet="f", device="d") for one in self.sent]


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.logs.close()


def test_the_newest_lines_are_given_without_their_secrets(desk: Desk) -> None:
    for number in range(5):
        desk.logger.info("line %s of hunter2", number)
    told = logs.run(logs.Args(lines=2), Order("i"), desk.reach)
    assert [line.rpartition("INFO    ")[2] for line in told.result["lines"]] == [
        "line 3 of ***",
        "line 4 of ***",
    ]


def test_lines_are_bounded_in_number_and_bytes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rings, "MOST_BYTES", 5000)
    for _ in range(100):
        desk.logger.info("x" * 90)
    assert sum(map(len, desk.logs.recent(1000))) <= 5000
    for _ in range(10):
        desk.logger.info("y" * 10_000)
    assert [len(line) for line in desk.logs.recent(1000)] == [2000, 2000]


def test_an_answer_has_room_for_the_newest_lines_only(desk: Desk) -> None:
    for number in range(60):
        desk.logger.info("%s %s", number, "x" * 1990)
    told = logs.run(logs.Args(lines=100), Order("i"), desk.reach)
    assert (len(told.result["lines"]), told.result["left_out"]) == (20, 40)
    assert " 59 " in told.result["lines"][-1]


def test_followed_lines_are_signed_numbered_and_end_by_themselves(desk: Desk) -> None:
    desk.logger.info("before")
    logs.run(logs.Args(follow_s=2.5), Order("i"), desk.reach)
    desk.logger.debug("first")
    desk.wait(1)
    desk.wait(1)
    desk.logger.info("second")
    desk.wait(1)
    desk.logger.info("after")
    desk.wait(1)
    told = [(one.n, [line.text.split()[-1] for line in one.lines], one.last) for one in desk.documents]
    assert told == [(1, ["first"], False), (2, ["second"], True)]
    assert desk.written == ["before", "second", "after"]
    other = Verifier.from_pem(generate()[1])
    with pytest.raises(NotSigned):
        loglines.decode(desk.sent[0], other, fleet="f", device="d")


def test_two_who_follow_each_get_what_they_have_asked_for(desk: Desk) -> None:
    desk.logs.follow(60, "debug")
    desk.logs.follow(2, "error")
    desk.wait(30)
    desk.logger.debug("a detail")
    desk.wait(1)
    assert [line.text.split()[-2:] for one in desk.documents for line in one.lines] == [["a", "detail"]]
    desk.wait(30)
    assert [one.last for one in desk.documents] == [False, True]


def test_what_is_too_much_or_finds_no_link_is_counted(desk: Desk) -> None:
    desk.logs.follow(60, "info")
    for number in range(50):
        desk.logger.info("%s", number)
    desk.wait(1)
    desk.online = False
    desk.logger.info("unheard")
    desk.wait(1)
    desk.online = True
    desk.logger.info("heard")
    desk.wait(1)
    first, second = desk.documents
    assert (len(first.lines), first.dropped) == (LINES_A_SECOND, 30)
    assert (first.n, second.n, len(second.lines), second.dropped) == (1, 2, 1, 1)


def test_a_level_falls_back_by_itself(desk: Desk) -> None:
    log_level.run(log_level.Args(level="debug", seconds=10), Order("i"), desk.reach)
    desk.logger.debug("in between")
    desk.wait(9.9)
    assert desk.logger.level == logging.DEBUG
    desk.wait(0.1)
    desk.logger.debug("over")
    assert (desk.written, desk.logger.level) == (["in between"], logging.INFO)


def test_nothing_of_it_is_left_when_the_agent_ends(desk: Desk) -> None:
    desk.logs.level("debug", 100)
    desk.logs.close()
    assert (desk.logger.level, desk.logger.handlers) == (logging.INFO, [desk.handler])


def test_the_local_socket_gives_the_lines_piece_by_piece(desk: Desk) -> None:
    for number in range(100):
        desk.logger.info("%s %s", number, "x" * 1990)
    seen, after = 0, 0
    while (told := desk.logs.answer({"op": "log", "after": after}))["lines"]:
        seen, after = seen + len(told["lines"]), told["after"]
    assert seen == 100


def test_without_a_broker_nothing_can_be_followed() -> None:
    logger = logging.Logger("of a test")  # noqa: LOG001 - nobody else is to find it
    alone = Logs("info", Redactor(), None, ManualClock(), logger)
    with pytest.raises(Rejected, match="there is no broker"):
        alone.follow(1, "info")
    alone.close()
