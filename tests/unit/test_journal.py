from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import struct
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import journal
from agent.events import Event, Told, emit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def read(datagram: bytes) -> dict[str, str]:
    """Read an entry as journald does."""
    found: dict[str, str] = {}
    while datagram:
        line, _, rest = datagram.partition(b"\n")
        name, told, value = line.partition(b"=")
        if not told:
            (size,) = struct.unpack("<Q", rest[:8])
            value, rest = rest[8 : 8 + size], rest[8 + size + 1 :]
        assert name.decode() not in found
        found[name.decode()] = value.decode()
        datagram = rest
    return found


@pytest.fixture
def journald(tmp_path: Path) -> Iterator[socket.socket]:
    """What listens for entries."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "socket"))
        listening.settimeout(5)
        yield listening


@pytest.fixture
def log(tmp_path: Path, journald: socket.socket) -> Iterator[Lines]:
    """The agent's log, written to it."""
    plain = Lines()
    writer = journal.Journal("edge-agent", plain, str(tmp_path / "socket"))
    logger = logging.getLogger("edge-agent")
    logger.addHandler(writer)
    before = logger.level
    logger.setLevel(logging.DEBUG)
    yield plain
    logger.setLevel(before)
    logger.removeHandler(writer)
    writer.close()


@contextlib.contextmanager
def ended_within(seconds: int) -> Iterator[None]:
    """A call that the kernel holds up fails then, and does not end the tests."""

    def late(*_: object) -> None:
        raise AssertionError("it was held up")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


class Lines(logging.Handler):
    """What went to standard error."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(record.getMessage())


def test_an_event_is_an_entry_whose_parts_are_fields(journald: socket.socket, log: Lines) -> None:
    emit(Event.LANE_DIED, "door", reason="killed by signal 9", exit_code=-9)
    entry = read(journald.recv(65536))
    assert entry == {
        "SYSLOG_IDENTIFIER": "edge-agent",
        "MESSAGE": "lane.died door reason=killed by signal 9 exit_code=-9",
        "PRIORITY": "4",
        "LOGGER": "edge-agent",
        "MESSAGE_ID": journal.message_id(Event.LANE_DIED),
        "EDGE_EVENT": "lane.died",
        "EDGE_SUBJECT": "door",
        "EDGE_REASON": "killed by signal 9",
        "EDGE_EXIT_CODE": "-9",
    }
    assert log.told == []


def test_what_a_peer_says_forges_no_field_and_no_line(journald: socket.socket, log: Lines) -> None:
    emit(Event.LANE_READY, "door\nPRIORITY=0", words="a\nEDGE_EVENT=agent.stopped\n\x1b[2J")
    entry = read(journald.recv(65536))
    assert (entry["EDGE_EVENT"], entry["PRIORITY"]) == ("lane.ready", "6")
    assert entry["EDGE_SUBJECT"] == "door\\nPRIORITY=0"
    assert entry["EDGE_WORDS"] == "a\\nEDGE_EVENT=agent.stopped\\n\\x1b[2J"
    assert log.told == []


def test_what_is_no_event_is_an_entry_too_and_a_traceback_a_field_of_it(
    journald: socket.socket, log: Lines
) -> None:
    try:
        int("two\nlines")
    except ValueError:
        logging.getLogger("edge-agent").exception("it broke")
    entry = read(journald.recv(65536))
    assert (entry["MESSAGE"], entry["PRIORITY"]) == ("it broke", "3")
    assert entry["EXCEPTION_INFO"].startswith("Traceback (most recent call last):\n")
    assert "EDGE_EVENT" not in entry
    assert log.told == []


def test_what_the_journal_does_not_take_is_written_to_standard_error(
    journald: socket.socket, log: Lines
) -> None:
    emit(Event.LANE_READY, "door", words="x" * (1 << 22))
    assert [len(line) > 1 << 22 for line in log.told] == [True]
    journald.close()
    emit(Event.LANE_SWAPPED, "door")
    assert log.told[1:] == ["lane.swapped door"]


def test_a_journal_that_stands_still_holds_nobody_up_and_what_is_lost_is_counted(
    journald: socket.socket, log: Lines
) -> None:
    logger = logging.getLogger("edge-agent")
    with ended_within(30):
        for number in range(2000):  # more than the kernel keeps for a reader that does not read
            logger.info("line %d", number)
    kept = 0
    journald.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while journald.recv(65536):
            kept += 1
    logger.info("back")
    told = [read(journald.recv(65536))["MESSAGE"] for _ in range(2)]
    assert told == [f"log: {2000 - kept} lines were lost while the journal stood still", "back"]
    assert log.told == []


def test_standard_error_that_stands_still_holds_nobody_up_either(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.makefile("w") as stream:
        ours.setblocking(True)
        writer = journal.Journal("edge-agent", logging.StreamHandler(stream), str(tmp_path / "nobody"))
        with ended_within(30):
            for _ in range(300):
                writer.handle(logging.LogRecord("edge-agent", logging.INFO, "", 0, "x" * 4096, None, None))
        writer.close()


def test_a_value_that_cannot_be_told_ends_no_program(
    journald: socket.socket, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    writer = journal.Journal("edge-agent", Lines(), str(tmp_path / "socket"))
    for words, values in (("%d", ("no number",)), ("on", ())):
        writer.handle(logging.LogRecord("edge-agent", logging.INFO, "", 0, words, values, None))
    writer.close()
    assert read(journald.recv(65536))["MESSAGE"] == "on"
    assert "no number" in capsys.readouterr().err


def test_each_event_has_an_id_of_its_own_that_stays() -> None:
    ids = {journal.message_id(event) for event in Event}
    assert len(ids) == len(Event)
    assert journal.message_id(Event.AGENT_STARTED) == "d88f34fb289e55eab8481213d5ed793b"


@given(st.text(), st.dictionaries(st.from_regex(r"[a-z][a-z_]{0,20}", fullmatch=True), st.text()))
def test_any_text_is_read_back_as_it_was(message: str, fields: dict[str, str]) -> None:
    record = logging.LogRecord("edge-agent", logging.INFO, "", 0, "%s", (message,), None)
    record.told = Told(Event.LANE_READY, "door", fields)
    entry = read(journal.entry(record))
    assert entry["MESSAGE"] == message
    assert {key: entry[f"EDGE_{key.upper()}"] for key in fields} == fields


def test_the_log_goes_to_the_journal_only_where_standard_error_is_the_journals(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with (tmp_path / "stream").open("w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        found = os.fstat(stream.fileno())
        for told, expected in (
            ("", logging.StreamHandler),
            ("8:1234", logging.StreamHandler),
            (f"{found.st_dev}:{found.st_ino}", journal.Journal),
        ):
            monkeypatch.setenv(journal.STREAM, told)
            writer = journal.handler("edge-agent")
            assert type(writer) is expected
            writer.close()
