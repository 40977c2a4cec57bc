"""A mirror on a web server: bounded, and never anywhere else than where it was said to be."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from urllib3.util import parse_url

from agent.config.addresses import web as web_address
from agent.errors import Absent, AgentError, ConfigInvalid, FetchFailed, LinkLost
from agent.updater import https
from agent.updater.https import Mirror
from agent.updater.mirrored import Mirrored
from tests.simulators.addresses import odd_addresses, taken
from tests.simulators.lying_shelf import LyingShelf
from tests.simulators.web_shelf import WebShelf

if TYPE_CHECKING:
    from collections.abc import Iterator

FILES = {"fleet/meta/timestamp.json": b"{}", **{f"fleet/blob/aa/{n}": bytes([n]) * 100 for n in range(5)}}


class Dripping:
    """Sends the same again and again to whoever connects; entered, it gives its port."""

    def __init__(self, data: bytes) -> None:
        self._data, self._over = data, threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._drip)

    def __enter__(self) -> int:
        self._thread.start()
        return int(self._listener.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._listener.close()

    def _drip(self) -> None:
        client, _ = self._listener.accept()
        with client:
            for byte in itertools.chain(self._data, itertools.repeat(0)):
                if self._over.wait(0.005):
                    return
                try:
                    client.sendall(bytes([byte]))
                except OSError:
                    return


@pytest.fixture
def web() -> Iterator[WebShelf]:
    with WebShelf(FILES) as found:
        yield found


@pytest.fixture
def mirror(web: WebShelf) -> Iterator[Mirror]:
    with closing(Mirror(f"{web.address}/fleet/")) as found:
        yield found


def test_a_file_is_read_from_below_the_address(mirror: Mirror) -> None:
    assert mirror.get("meta/timestamp.json", 2) == b"{}"


def test_chunks_come_in_order_and_missing_ones_are_named_in_the_end(mirror: Mirror) -> None:
    found: list[tuple[int, bytes]] = []
    with pytest.raises(Absent, match=r"chunks 7, 8 are not there.*edgectl mirror"):
        found.extend(mirror.chunks("aa", (3, 7, 1, 8), 100))  # those before the error stay
    assert found == [(3, b"\3" * 100), (1, b"\1" * 100)]


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (b"HTTP/1.1 404 no\r\nContent-Length: 0\r\n\r\n", Absent, "HTTP 404"),
        (b"HTTP/1.1 403 no\r\nContent-Length: 0\r\n\r\n", Absent, "HTTP 403"),
        (b"HTTP/1.1 500 no\r\nContent-Length: 0\r\n\r\n", FetchFailed, "HTTP 500"),
        (b"HTTP/1.1 302 no\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", FetchFailed, "Redirections"),
        (b"HTTP/1.1 200 ok\r\nContent-Length: 9999\r\n\r\n" + b"x" * 9999, FetchFailed, "more than 100"),
        (b"HTTP/1.1 200 ok\r\nTransfer-Encoding: chunked\r\n\r\n" + b"60\r\n" + b"x" * 96 + b"\r\n" * 1
         + b"60\r\n" + b"x" * 96 + b"\r\n0\r\n\r\n", FetchFailed, "more than 100"),
        (b"HTTP/1.1 200 ok\r\nContent-Length: 90\r\n\r\nshort", LinkLost, ""),
        (b"nonsense", LinkLost, ""),
    ],
)  # fmt: skip
def test_an_answer_that_is_none_is_told(
    answer: bytes, error: type[AgentError], words: str, web: WebShelf, mirror: Mirror
) -> None:
    web.answers["fleet/blob/aa/0"] = answer
    with pytest.raises(error) as found:
        mirror.get("blob/aa/0", 100)
    assert type(found.value) is error
    assert words in str(found.value)
    assert "\n" not in str(found.value)


def test_what_is_packed_stays_packed(web: WebShelf, mirror: Mirror) -> None:
    web.answers["fleet/x"] = b"HTTP/1.1 200 ok\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"
    assert mirror.get("x", 100) == b"abc"


@pytest.mark.parametrize(
    "drips",
    [
        (b"", b"H"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 ok\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"),
        (b"HTTP/1.1 200 ok\r\nContent-Length: 90\r\nX: ", b"y"),
    ],
    ids=["status", "continue", "trailer", "header"],
)
def test_a_server_that_drips_is_left_wherever_it_does(
    drips: tuple[bytes, bytes], web: WebShelf, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.drips["fleet/blob/aa/0"] = drips
    with monkeypatch.context() as patch:
        patch.setattr(https, "_GRACE_S", 0.2)
        with pytest.raises(FetchFailed, match="too slowly"):
            mirror.get("blob/aa/0", 100)
    assert mirror.get("blob/aa/1", 100) == b"\1" * 100


def test_a_handshake_that_drips_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(https, "_GRACE_S", 0.2)
    with Dripping(b"\x16\x03\x03\x40\x00") as port:
        mirror = Mirror(f"https://127.0.0.1:{port}")
        with closing(mirror), pytest.raises(FetchFailed, match="too slowly"):
            mirror.get("hint", 100)


def test_a_servers_words_are_not_in_the_log(
    web: WebShelf, mirror: Mirror, capfd: pytest.CaptureFixture[str]
) -> None:
    web.answers["fleet/x"] = b"HTTP/1.1 200 ok\r\nforged \x1b[31m line\r\nContent-Length: 1\r\n\r\na"
    with contextlib.suppress(AgentError):
        mirror.get("x", 100)
    assert "forged" not in "".join(capfd.readouterr())


def test_a_server_that_is_silent_or_away_is_left(web: WebShelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(https, "_SILENCE_S", 0.1)
    web.delay_s = 0.3
    with closing(Mirror(web.address)) as mirror, pytest.raises(LinkLost, match="Check the mirror's address"):
        mirror.get("hint", 100)
    with closing(Mirror("http://127.0.0.1:1")) as mirror, pytest.raises(LinkLost):
        mirror.get("hint", 100)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ftp://x/y",
        "http://",
        "http://x/?",
        "https://x/#a",
        "mirror.example",
        "http://[bad",
        "http://x:99999",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigInvalid, match=r"models\.mirror"):
        Mirror(address)


@given(odd_addresses())
@example("http:mirror.example://x")
@example("http://[fe80::1%25eth0]:80/a")
def test_an_odd_address_makes_a_mirror_or_is_refused_in_one_line(address: str) -> None:
    mirror = taken(lambda: Mirror(address, "--metadata-url"))
    if isinstance(mirror, ConfigInvalid):
        assert str(mirror).startswith("use --metadata-url: no address of a web server: ")
        assert str(mirror).isprintable()
        return
    mirror.close()
    # To urllib3, which calls it, it means what it means to us.
    theirs, ours = parse_url(f"{mirror._address}/meta/timestamp.json"), web_address(address)
    assert (theirs.scheme, theirs.port) == (ours.scheme, ours.port)
    assert (theirs.host or "").strip("[]").lower() == ours.host.lower()
    assert str(theirs.path).endswith("/meta/timestamp.json")


def test_broker_and_mirror_stand_in_for_each_other() -> None:
    broker, mirror = LyingShelf({"hint": b"b"}), LyingShelf({"meta/timestamp.json": b"m"})
    broker.files |= {f"blob/aa/{n}": b"b" for n in (2, 3)}
    mirror.files |= {f"blob/aa/{n}": b"m" for n in (0, 1)}
    both = Mirrored(broker, mirror)
    assert (both.get("hint", 9), both.get("meta/timestamp.json", 9)) == (b"b", b"m")
    assert list(both.chunks("aa", range(4), 9)) == [(0, b"m"), (1, b"m"), (2, b"b"), (3, b"b")]
    broker.left = 0
    assert both.get("meta/timestamp.json", 9) == b"m"
    with pytest.raises(Absent):
        both.get("meta/1.root.json", 9)
    both.close()
    assert broker.closed
    assert mirror.closed


def test_a_chunk_that_is_asked_for_again_comes_from_the_broker() -> None:
    broker, mirror = LyingShelf({"blob/aa/0": b"right"}), LyingShelf({"blob/aa/0": b"wrong"})
    both = Mirrored(broker, mirror)
    assert list(both.chunks("aa", [0], 9)) == [(0, b"wrong")]
    assert list(both.chunks("aa", [0], 9)) == [(0, b"right")]
