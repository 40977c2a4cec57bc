"""The control socket, with real sockets and the selector's loop turned by hand."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import selectors
import socket
import stat
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from agent.errors import AgentError, FolderUnusable, MessageInvalid
from agent.supervision.control import ControlServer, ask

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def answer(request: dict[str, Any]) -> dict[str, Any]:
    if request.get("op") != "echo":
        raise MessageInvalid("answer", "it", "no such request", "Ask echo")
    return {"said": request["what"] * request.get("times", 1)}


class Loop:
    """A server and the loop that it lives in."""

    def __init__(self, path: Path) -> None:
        self.selector = selectors.DefaultSelector()
        self.workers: set[int] = set()
        self.server = ControlServer(path, self.selector, answer, lambda: self.workers)
        self.path = path

    def turn(self, timeout_s: float = 10.0) -> None:
        for key, _ in self.selector.select(timeout_s):
            key.data()

    def clients(self) -> int:
        return len(self.selector.get_map()) - 1

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Ask from a thread, and turn the loop until it has its answer."""
        found: list[dict[str, Any] | AgentError] = []
        thread = threading.Thread(target=lambda: found.append(outcome(self.path, request)))
        thread.start()
        while thread.is_alive():
            self.turn(0.05)
        thread.join()
        if isinstance(found[0], AgentError):
            raise found[0]
        return found[0]

    def close(self) -> None:
        self.server.close()
        self.selector.close()


def outcome(path: Path, request: dict[str, Any]) -> dict[str, Any] | AgentError:
    try:
        return ask(path, request, timeout_s=30.0)
    except AgentError as error:
        return error


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return type(tmp_path)("agent.sock")  # a socket's path has 107 bytes at most


@pytest.fixture
def loop(path: Path) -> Iterator[Loop]:
    loop = Loop(path)
    yield loop
    loop.close()


@pytest.fixture
def client(loop: Loop) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(2)
        sock.connect(str(loop.path))
        loop.turn()
        assert loop.clients() == 1
        yield sock


def test_a_question_gets_its_answer(loop: Loop) -> None:
    assert loop.ask({"op": "echo", "what": "hi"}) == {"said": "hi"}
    assert loop.ask({"op": "echo", "what": "x", "times": 50_000}) == {"said": "x" * 50_000}
    assert loop.clients() == 0


def test_an_error_is_an_answer_too(loop: Loop) -> None:
    with pytest.raises(AgentError, match=r"no such request. Ask echo"):
        loop.ask({"op": "dance"})


@pytest.mark.parametrize(
    "line", [b"\n", b"{\n", b"[]\n", b"null\n", b"\xff\xfe\n", b'"op"\n', b"[" * 3000 + b"\n"]
)
def test_garbage_is_answered_with_an_error(loop: Loop, client: socket.socket, line: bytes) -> None:
    client.sendall(line)
    loop.turn()
    assert client.recv(4096).startswith(b'{"error":"read request: no JSON')
    assert loop.clients() == 0


def test_a_question_may_come_in_pieces(loop: Loop, client: socket.socket) -> None:
    for piece in (b'{"op": "ec', b'ho", "what": ', b'"hi"}'):
        client.sendall(piece)
        loop.turn()
    client.sendall(b"\n")
    loop.turn()
    assert client.recv(100) == b'{"said":"hi"}\n'


def test_an_endless_question_is_cut_off(loop: Loop, client: socket.socket) -> None:
    client.sendall(b"x" * 5000)
    while loop.clients():
        loop.turn()
    assert client.recv(100) == b""


def test_who_leaves_before_the_answer_does_no_harm(loop: Loop, client: socket.socket) -> None:
    client.sendall(b'{"op": "echo", "what": "hi"}\n')
    client.close()
    loop.turn()
    assert loop.clients() == 0


def test_who_never_reads_does_not_block_the_loop(loop: Loop, client: socket.socket) -> None:
    client.sendall(b'{"op": "echo", "what": "x", "times": 10000000}\n')
    began = time.monotonic()
    loop.turn()
    assert time.monotonic() - began < 10
    assert loop.clients() == 0


def test_who_connects_and_never_asks_is_dropped(loop: Loop, client: socket.socket) -> None:
    loop.server.tick(time.monotonic() + 4)
    assert loop.clients() == 1
    loop.server.tick(time.monotonic() + 6)
    assert loop.clients() == 0
    assert client.recv(1) == b""


def test_only_so_many_may_ask_at_once(loop: Loop) -> None:
    idle = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(8)]
    for sock in idle:
        sock.connect(str(loop.path))
        loop.turn()
    with pytest.raises(AgentError, match=r"closed the connection|Connection reset|Broken pipe"):
        loop.ask({"op": "echo", "what": "hi"})
    for sock in idle:
        sock.close()
    loop.turn()
    assert loop.ask({"op": "echo", "what": "hi"}) == {"said": "hi"}


def test_a_worker_is_refused(loop: Loop) -> None:
    loop.workers = {os.getpid()}
    with pytest.raises(AgentError, match=r"closed the connection|Connection reset|Broken pipe"):
        loop.ask({"op": "echo", "what": "hi"})


def test_only_its_owner_may_use_the_socket(loop: Loop) -> None:
    assert stat.S_IMODE(loop.path.stat().st_mode) == 0o600


def test_the_socket_goes_with_the_server(path: Path) -> None:
    Loop(path).close()
    assert not path.exists()
    with pytest.raises(AgentError, match=r"No such file or directory. Start it with: edge-agent run"):
        ask(path, {})


def test_the_socket_of_a_dead_agent_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))
    loop = Loop(path)
    assert loop.ask({"op": "echo", "what": "hi"}) == {"said": "hi"}
    loop.close()


def test_the_socket_of_a_living_agent_is_left_alone(loop: Loop) -> None:
    with pytest.raises(FolderUnusable, match="another agent listens there"):
        Loop(loop.path)
    assert loop.ask({"op": "echo", "what": "hi"}) == {"said": "hi"}


@pytest.mark.parametrize("name", ["x" * 200, "no/such/folder/sock", "file"])
def test_a_path_that_takes_no_socket_is_one_line(path: Path, name: str) -> None:
    path.with_name("file").write_text("keep me")
    with pytest.raises(FolderUnusable, match=r"listen on .*Set control.path"):
        Loop(path.parent / name)
    assert path.with_name("file").read_text() == "keep me"


@pytest.mark.parametrize("value", [1 << 64, "\udcff", json.loads("[" * 300 + "]" * 300)])
def test_what_json_cannot_hold_is_one_line_too(path: Path, value: object) -> None:
    with pytest.raises(MessageInvalid, match="cannot be sent"):
        ask(path, {"op": "command", "args": {"a": value}})


def test_an_agent_that_answers_nothing_is_not_waited_for(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as deaf:
        deaf.bind(str(path))
        deaf.listen(1)
        with pytest.raises(AgentError, match="timed out"):
            ask(path, {}, timeout_s=0.05)


def test_an_agent_that_answers_byte_by_byte_is_not_waited_for_longer_than_one_that_is_silent(
    path: Path,
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(path))
        server.listen()

        def drip() -> None:
            client, _ = server.accept()
            with client, contextlib.suppress(OSError):  # who has asked leaves
                for byte in itertools.chain(b'{"a":"', b"1" * 300, b'"}\n'):
                    client.send(bytes([byte]))
                    time.sleep(0.01)

        peer = threading.Thread(target=drip)
        peer.start()
        with pytest.raises(AgentError, match="timed out"):
            ask(path, {"op": "status"}, timeout_s=0.3)
        peer.join()


ASKS = """
import sys
from pathlib import Path
from agent.supervision.control import ask
print(ask(Path(sys.argv[1]), {"op": "echo", "what": "hi"}))
"""


@pytest.mark.parametrize(("ours", "served"), [(True, False), (False, True)])
def test_what_a_worker_has_started_is_refused_and_others_children_are_not(
    loop: Loop, *, ours: bool, served: bool
) -> None:
    # A shell stands between: it is the grandchild that asks.
    command = ["sh", "-c", '"$@"; true', "sh", sys.executable, "-c", ASKS, str(loop.path)]
    loop.workers = {os.getpid() if ours else 1 << 30}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as asker:
        while asker.poll() is None:
            loop.turn(0.05)
        assert asker.stdout is not None
        assert ("hi" in asker.stdout.read()) == served


def test_an_answer_without_end_is_not_taken_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.supervision.control._MOST_ANSWER", 1000)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(tmp_path / "agent.sock"))
        server.listen()

        def told() -> None:
            client, _ = server.accept()
            with client:
                client.recv(100)
                client.sendall(b'{"a":"' + b"1" * 2000 + b'"}\n')

        agent = threading.Thread(target=told)
        agent.start()
        with pytest.raises(AgentError, match="its answer was cut short"):
            ask(tmp_path / "agent.sock", {"op": "status"})
        agent.join()
