"""The local socket: one JSON line in, one JSON line out. Workers may not use it."""

from __future__ import annotations

import errno
import os
import selectors
import socket
import stat
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from agent.clock import SystemClock
from agent.errors import AgentError, FolderUnusable, MessageInvalid
from agent.events import Event, emit

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from agent.clock import Clock

    Answer = Callable[[dict[str, Any]], dict[str, Any]]

_REQUEST_BYTES = 4096
_CLIENTS = 8
_PATIENCE_S = 5.0
_MOST_ANCESTORS = 256
_RETRY_S = 5.0
_MOST_ANSWER = 16 << 20
"""Bytes that whoever asks takes: an agent that was taken over shall not fill root's memory."""
_CHUNK = 64 << 10


class ControlServer:
    """Listens on the socket and answers requests from inside the supervisor's loop; never blocks it.

    Args:
        path: where the socket stands; one that a dead agent left is replaced.
        selector: the loop's; its data are callables without arguments.
        answer: gives the reply to a request; AgentError becomes an error reply.
        workers: process ids that are refused.
        clock: the one whose time ``tick`` is told.
    """

    def __init__(
        self,
        path: Path,
        selector: selectors.BaseSelector,
        answer: Answer,
        workers: Callable[[], Collection[int]],
        clock: Clock | None = None,
    ) -> None:
        self._path = path
        self._selector = selector
        self._clock = clock or SystemClock()
        self._answer = answer
        self._workers = workers
        self._clients: dict[socket.socket, tuple[float, bytearray]] = {}
        self._listener: socket.socket | None = None
        self._inode = 0
        self._listen()
        self._retry_at = self._clock.monotonic() + _RETRY_S

    def _listen(self) -> None:
        """Make the socket. Where the disk is full or read-only for now, ``tick`` tries again.

        Raises:
            FolderUnusable: it can never be made there, or another agent listens.
        """
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        listener.setblocking(False)  # noqa: FBT003 - the socket module's own signature
        try:
            _clear(self._path)
            listener.bind(str(self._path))
            self._path.chmod(0o600)
            listener.listen(_CLIENTS)
            self._inode = self._path.stat().st_ino
        except OSError as error:
            listener.close()
            problem = error.strerror or str(error)
            if _may_pass(self._path, error):
                emit(Event.CONTROL_FAILED, str(self._path), problem=problem)
                return
            hint = "Set control.path to a short path in a folder that can be written"
            raise FolderUnusable("listen on", str(self._path), problem, hint) from error
        except FolderUnusable:
            listener.close()
            raise
        self._listener = listener
        self._selector.register(listener, selectors.EVENT_READ, lambda: self._accept(listener))

    def _accept(self, listener: socket.socket) -> None:
        try:
            client, _ = listener.accept()
        except OSError:
            return  # the asker left, or we are out of descriptors
        client.setblocking(False)  # noqa: FBT003 - the socket module's own signature
        credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        pid, uid, _ = struct.unpack("3i", credentials)
        if len(self._clients) >= _CLIENTS or not self._welcome(pid, uid):
            client.close()
            return
        self._clients[client] = (self._clock.monotonic(), bytearray())
        self._selector.register(client, selectors.EVENT_READ, lambda: self._read(client))

    def _welcome(self, pid: int, uid: int) -> bool:
        """Whether a peer may ask: root and our own user, but no worker, nor what a worker has started."""
        if uid not in {0, os.getuid()}:
            return False
        workers = self._workers()
        if pid in workers:
            return False
        # Root may be hidden from us in /proc, and is no worker's child where we are not root ourselves.
        return not (workers and uid == os.getuid()) or _outside(pid, workers)

    def _read(self, client: socket.socket) -> None:
        _, buffer = self._clients[client]
        try:
            chunk = client.recv(_REQUEST_BYTES)
        except OSError:
            chunk = b""
        buffer += chunk
        if b"\n" in buffer:
            self._reply(client, bytes(buffer.partition(b"\n")[0]))
        if not chunk or b"\n" in buffer or len(buffer) > _REQUEST_BYTES:
            self._drop(client)

    def _reply(self, client: socket.socket, line: bytes) -> None:
        try:
            reply = self._answer(_request(line))
        except AgentError as error:
            reply = {"error": str(error)}
        try:
            client.sendall(orjson.dumps(reply) + b"\n")
        except OSError:
            return  # the asker left, or reads too slowly for a reply that fits the socket's buffer

    def _drop(self, client: socket.socket) -> None:
        del self._clients[client]
        self._selector.unregister(client)
        client.close()

    def tick(self, now: float) -> None:
        """Drop clients that connected and never asked; listen, where that was not possible so far."""
        if self._listener is None and now >= self._retry_at:
            self._retry_at = now + _RETRY_S
            self._listen()
        for client, (since, _) in list(self._clients.items()):
            if now - since > _PATIENCE_S:
                self._drop(client)

    def close(self) -> None:
        """Stop listening and take the socket away."""
        for client in list(self._clients):
            self._drop(client)
        if self._listener is None:
            return
        self._selector.unregister(self._listener)
        self._listener.close()
        try:
            if self._path.stat().st_ino == self._inode:  # else it is another agent's by now
                self._path.unlink()
        except OSError as error:
            emit(Event.CONTROL_LEFT, str(self._path), problem=error.strerror)


def _outside(pid: int, workers: Collection[int]) -> bool:
    """Whether none of a process's ancestors is a worker; one that cannot be looked at is not believed."""
    for _ in range(_MOST_ANCESTORS):
        if pid in workers:
            return False
        if pid <= 1:
            return True
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            return False
    return False


def deserted(path: Path) -> bool:
    """Whether nobody can listen on the socket: it is not there, or a dead agent has left it."""
    if not path.exists():
        return True
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as sock:
        sock.setblocking(False)  # noqa: FBT003 - the socket module's own signature
        return sock.connect_ex(str(path)) in {errno.ECONNREFUSED, errno.ENOENT}


def _clear(path: Path) -> None:
    """Take away the socket that a dead agent left."""
    if not path.exists() or not stat.S_ISSOCK(path.stat().st_mode):
        return
    if not deserted(path):
        hint = "Stop that agent, or set control.path to another path"
        raise FolderUnusable("listen on", str(path), "another agent listens there", hint)
    path.unlink(missing_ok=True)


def _may_pass(path: Path, error: OSError) -> bool:
    """Whether the disk is full or read-only for now; its folder may be missing for that reason, too."""
    if error.errno != errno.ENOENT:
        return error.errno in {errno.EROFS, errno.ENOSPC, errno.EDQUOT}
    disk = os.statvfs(next(folder for folder in path.absolute().parents if folder.exists()))
    return bool(disk.f_flag & os.ST_RDONLY) or not disk.f_bavail


def _request(line: bytes) -> dict[str, Any]:
    try:
        request = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise MessageInvalid("read", "request", f"no JSON: {error}") from error
    if not isinstance(request, dict):
        raise MessageInvalid("read", "request", "no JSON object")
    return request


def ask(path: Path, request: dict[str, Any], timeout_s: float = 5.0) -> dict[str, Any]:
    """Ask the running agent.

    Args:
        path: its socket.
        request: what is asked.
        timeout_s: seconds until its whole answer must be here, however it comes.

    Raises:
        AgentError: nobody listens there, it does not answer, or it answers with an error.
        MessageInvalid: the request holds what JSON cannot.
    """
    try:
        message = orjson.dumps(request) + b"\n"
    except orjson.JSONEncodeError as error:
        raise MessageInvalid("ask agent at", str(path), f"this cannot be sent: {error}") from error
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as sock:
        until = time.monotonic() + timeout_s
        try:
            sock.settimeout(timeout_s)
            sock.connect(str(path))
            sock.settimeout(_left(until))
            sock.sendall(message)
            line = _line(sock, until)
        except OSError as error:
            hint = (
                "Start it with: edge-agent run --config agent.toml; or name the --config of the one that runs"
            )
            if isinstance(error, PermissionError):
                hint = "Run this as root, or as the agent's user"
            raise AgentError("ask agent at", str(path), error.strerror or str(error), hint) from error
    if not line:
        raise AgentError("ask agent at", str(path), "it closed the connection", "Look at its log")
    try:
        reply: Any = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise AgentError("ask agent at", str(path), "its answer was cut short", "Ask again") from error
    if not isinstance(reply, dict):
        raise AgentError("ask agent at", str(path), "what answers there is no agent", "Give the right socket")
    if "error" in reply:
        raise AgentError("ask agent at", str(path), reply["error"])
    return dict(reply)


def _line(sock: socket.socket, until: float) -> bytes:
    """Read up to the end of a line, or as much as an answer may have.

    Raises:
        OSError: not all of it has come by ``until``, of the monotonic clock.
    """
    found = bytearray()
    while len(found) < _MOST_ANSWER:
        sock.settimeout(_left(until))
        chunk = sock.recv(min(_CHUNK, _MOST_ANSWER - len(found)))
        found += chunk
        if not chunk or b"\n" in chunk:
            break
    return bytes(found[: found.find(b"\n") + 1] or found)


def _left(until: float) -> float:
    """Give the seconds that are left; a peer that sends byte by byte gets no more for it."""
    if (left := until - time.monotonic()) <= 0:
        raise TimeoutError("timed out")
    return left
