"""Lines of the log as entries of systemd's journal, with what they say as fields that can be asked for.

    journalctl -u edge-agent EDGE_EVENT=lane.hung EDGE_SUBJECT=door

The format is that of https://systemd.io/JOURNAL_NATIVE_PROTOCOL: a datagram of fields to a socket. Where
standard error is not the journal's, or the journal does not take an entry, the line goes to standard error.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import struct
import sys
import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.events import Event, Told

SOCKET = "/run/systemd/journal/socket"
STREAM = "JOURNAL_STREAM"
"""Set by systemd where standard error is the journal's: its device and inode, see systemd.exec(5)."""
_EVENTS = uuid.UUID("5c0a6a3e-7b1d-4a9e-9a51-0c6f2b1d8e47")
"""The namespace of our events' ids."""
_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
_DEBUG = 7
_LONGEST_NAME = 64
_PATIENCE_S = 0.2
"""How long one line waits for a journal that is busy. The next ones do not wait any more."""
FORMAT = "%(asctime)s %(levelname)-7s %(message)s"


def message_id(event: Event) -> str:
    """Give the 32 hexadecimal digits that stand for this event, in every release: journald's MESSAGE_ID."""
    return uuid.uuid5(_EVENTS, event.value).hex


def handler(name: str, *, form: str = FORMAT, path: str = SOCKET) -> logging.Handler:
    """Give what writes a program's log: to the journal where standard error is the journal's, else to that.

    Args:
        name: the program, as the journal shows it before each line.
        form: what a line on standard error looks like.
        path: where the journal listens.
    """
    plain = logging.StreamHandler(sys.stderr)
    plain.setFormatter(logging.Formatter(form))
    return Journal(name, plain, path) if _is_ours(os.environ.get(STREAM, "")) else plain


def _is_ours(stream: str) -> bool:
    try:
        found = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):  # closed, or no file
        return False
    return stream == f"{found.st_dev}:{found.st_ino}"


class Journal(logging.Handler):
    """Sends each record as one entry.

    Args:
        name: the program.
        plain: who writes what the journal does not take: what is too large, or comes while it restarts.
        path: where the journal listens.
    """

    def __init__(self, name: str, plain: logging.Handler, path: str) -> None:
        super().__init__()
        self._head = _field("SYSLOG_IDENTIFIER", name)
        self._plain = plain
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record. Where the journal stands still lines are lost, and counted: nobody is held up."""
        try:
            data = entry(record)
        except (TypeError, ValueError, LookupError, AttributeError):  # words and values that do not fit
            self.handleError(record)
            return
        self._socket.settimeout(0.0 if self._lost else _PATIENCE_S)
        try:
            if self._lost:
                self._send(_missing(self._lost))
                self._lost = 0
            self._send(data)
        except (TimeoutError, BlockingIOError):
            self._lost += 1
        except OSError:
            self._fall_back(record)

    def _send(self, data: bytes) -> None:
        self._socket.sendto(self._head + data, self._path)

    def _fall_back(self, record: logging.LogRecord) -> None:
        """Write to standard error, which is the journal's, too, and may stand still like it."""
        if _takes(self._plain):
            self._plain.handle(record)
        else:
            self._lost += 1

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()
        super().close()


def _takes(plain: logging.Handler) -> bool:
    """Whether what a handler writes to has room now."""
    if not isinstance(plain, logging.StreamHandler):
        return True
    try:
        return bool(select.select([], [plain.stream], [], 0.0)[1])
    except (OSError, ValueError):  # it is closed, and says so by itself
        return True


def _missing(lost: int) -> bytes:
    """Give the entry that tells how many are missing before it."""
    words = f"log: {lost} lines were lost while the journal stood still"
    return entry(logging.LogRecord("edge-agent", logging.WARNING, "", 0, words, None, None))


def entry(record: logging.LogRecord) -> bytes:
    """Give a record as a datagram for the journal."""
    return b"".join(_field(name, value) for name, value in _fields(record))


def _fields(record: logging.LogRecord) -> Iterator[tuple[str, str]]:
    yield "MESSAGE", record.getMessage()
    yield "PRIORITY", str(next((told for level, told in _PRIORITIES if record.levelno >= level), _DEBUG))
    yield "LOGGER", record.name
    if record.exc_info:
        yield "EXCEPTION_INFO", logging.Formatter().formatException(record.exc_info)
    told: Told | None = getattr(record, "told", None)
    if told is None:
        return
    yield "MESSAGE_ID", message_id(told.event)
    yield "EDGE_EVENT", told.event.value
    if told.subject:
        yield "EDGE_SUBJECT", told.subject
    for key, value in told.fields.items():
        yield f"EDGE_{key.upper()}"[:_LONGEST_NAME], value


def _field(name: str, value: str) -> bytes:
    """Give one field: on a line, or where its value has several, by its length (64 bits, little-endian)."""
    data = value.encode(errors="backslashreplace")
    if b"\n" not in data:
        return b"%s=%s\n" % (name.encode(), data)
    return b"%s\n%s%s\n" % (name.encode(), struct.pack("<Q", len(data)), data)
