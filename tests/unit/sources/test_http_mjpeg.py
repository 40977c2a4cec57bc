"""An MJPEG stream over HTTP from a real server that behaves, and one that does not."""

from __future__ import annotations

import socket
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from agent.errors import InputRejected, SourceLost
from agent.sources.http_mjpeg import HttpMjpegSource, Options, build
from tests.simulators.web_camera import SEPARATOR, Visit, WebCamera, digest_of, jpeg, part

if TYPE_CHECKING:
    from pathlib import Path


def opened(camera: WebCamera, start: int = 0, **options: Any) -> HttpMjpegSource:
    return build(Options(url=camera.url(), **{"silence_s": 0.5, **options}), start=start)


def levels(source: HttpMjpegSource, count: int) -> list[int]:
    """Read so many frames, and give how bright each is."""
    found: list[int] = []
    while len(found) < count:
        frame = source.read(5)
        assert frame is not None
        found.append(round(float(frame.data.mean())))
    return found


def read_until_lost(source: HttpMjpegSource) -> None:
    while True:
        source.read(0.1)


def read_on(camera: WebCamera, **options: Any) -> None:
    with closing(opened(camera, **options)) as source:
        read_until_lost(source)


def lost(camera: WebCamera, **options: Any) -> str:
    """Give the line with which the source is lost, at its opening or later."""
    with pytest.raises(SourceLost) as caught:
        read_on(camera, **options)
    assert caught.value.hint
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_comes_without_an_end_and_is_no_picture_does_not_hold_a_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agent.sources.web.multipart.MAX_PART", 1 << 60)

    def flood(visit: Visit) -> None:
        visit.stream()
        while not visit.over.is_set():
            visit.send(b"x" * 65536)

    with WebCamera(flood) as camera, closing(opened(camera, silence_s=0.5)) as source:
        assert source.read(0.1) is None
        with pytest.raises(SourceLost, match="no picture for"):
            read_until_lost(source)


def streaming(*pieces: bytes, stay: bool = True) -> Any:
    def manners(visit: Visit) -> None:
        visit.stream()
        for piece in pieces:
            visit.send(piece)
        if stay:
            visit.over.wait(20)

    return manners


@pytest.mark.parametrize("counted", [True, False])
def test_the_pictures_of_a_stream_come_in_their_order(*, counted: bool) -> None:
    pieces = [part(jpeg(level), counted=counted) for level in (10, 100, 200)]
    with WebCamera(streaming(*pieces, f"--{SEPARATOR}\r\n".encode())) as camera:
        source = opened(camera, start=7)
        assert source.live is True
        first = source.read(5)
        assert first is not None
        assert (first.seq, first.data.shape) == (7, (48, 64, 3))
        assert levels(source, 2) == [100, 200]
        source.close()


def test_a_stream_in_chunks_is_a_stream_too() -> None:
    def manners(visit: Visit) -> None:
        visit.head(
            f'Content-Type: multipart/x-mixed-replace;boundary="--{SEPARATOR}"', "Transfer-Encoding: chunked"
        )
        data = part(jpeg(10)) + part(jpeg(100))
        for at in range(0, len(data), 100):
            piece = data[at : at + 100]
            visit.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        visit.over.wait(20)

    with WebCamera(manners) as camera:
        source = opened(camera)
        assert levels(source, 2) == [10, 100]
        source.close()


def test_a_picture_of_another_size_is_a_picture() -> None:
    with WebCamera(streaming(part(jpeg(10)), part(jpeg(20, 160, 120)))) as camera:
        source = opened(camera)
        levels(source, 1)
        frame = source.read(5)
        assert frame is not None
        assert frame.data.shape == (120, 160, 3)
        source.close()


@pytest.mark.parametrize(
    "damaged", [b"", b"hello", jpeg(9)[:20], jpeg(9)[:-200], b"\x89PNG\r\n\x1a\n" + bytes(30)]
)
def test_a_damaged_picture_is_refused_and_the_next_one_read(damaged: bytes) -> None:
    with WebCamera(streaming(part(damaged), part(jpeg(100)))) as camera:
        source = opened(camera)
        with pytest.raises(InputRejected, match="frame 0"):
            source.read(5)
        frame = source.read(5)
        assert frame is not None
        assert frame.seq == 1
        source.close()


def test_a_picture_that_says_it_is_huge_is_not_decoded() -> None:
    data = bytearray(jpeg(10))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = b"\x7f\xff\x7f\xff"
    with WebCamera(streaming(part(bytes(data)))) as camera:
        source = opened(camera)
        with pytest.raises(InputRejected, match="too many"):
            source.read(5)
        source.close()


def test_a_read_without_a_picture_keeps_its_time() -> None:
    with WebCamera(streaming(part(jpeg(10))[:-50])) as camera:
        source = opened(camera, silence_s=60)
        for timeout in (0.0, 0.2):
            began = time.monotonic()
            assert source.read(timeout) is None
            assert timeout - 0.01 < time.monotonic() - began < timeout + 5
        source.close()


def test_a_frozen_stream_is_lost_after_its_silence() -> None:
    with WebCamera(streaming(part(jpeg(10)))) as camera:
        began = time.monotonic()
        assert "no picture for" in lost(camera)
        assert 0.5 < time.monotonic() - began < 10


def test_a_server_that_drips_bytes_but_no_picture_is_lost_just_the_same() -> None:
    def manners(visit: Visit) -> None:
        visit.stream()
        visit.send(part(jpeg(10))[:-200])
        while not visit.over.wait(0.05):
            visit.send(b"x")

    with WebCamera(manners) as camera:
        assert "no picture for" in lost(camera)


def test_a_stream_that_ends_is_lost_at_once_after_its_last_picture() -> None:
    with WebCamera(streaming(part(jpeg(10)), stay=False)) as camera:
        source = opened(camera, silence_s=60)
        assert levels(source, 1) == [10]
        with pytest.raises(SourceLost, match="ended the stream"):
            source.read(5)
        source.close()


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"", "the connection ended within the answer"),
        (b"SSH-2.0-dropbear\r\n\r\n", "it speaks no HTTP/1.1"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 20000, "16384 bytes of headers"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>", "no multipart stream"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", r"nothing at this path \(404\)"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://x/?password=secret\r\n\r\n", r"sends us elsewhere \(302\)"),
        (b"HTTP/1.1 503 Busy\r\n\r\n", "status 503"),
        (b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\n\r\n", "it wants a name and a password"),
    ],
)
def test_an_answer_that_is_no_stream_is_told_in_one_line(answer: bytes, problem: str) -> None:
    with (
        WebCamera(lambda visit: visit.send(answer)) as camera,
        pytest.raises(SourceLost, match=problem) as caught,
    ):
        opened(camera)
    assert "secret" not in str(caught.value)


def test_a_camera_that_is_away_refuses_and_comes_back() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    options = Options(url=f"http://127.0.0.1:{port}/video")
    with pytest.raises(SourceLost, match="connection refused"):
        build(options, start=0)
    with WebCamera(streaming(part(jpeg(10))), port=port):
        source = build(options, start=0)
        assert levels(source, 1) == [10]
        source.close()


def test_a_name_that_no_name_server_can_be_asked_for_is_told_as_one_that_is_not_known() -> None:
    with pytest.raises(SourceLost, match=r"http://cam\.\.era/video: the name cannot be looked up"):
        build(Options(url="http://cam..era/video"), start=0)


def login(folder: Path, text: str = "eva:s3cret") -> str:
    (folder / "login").write_text(text)
    return str(folder / "login")


@pytest.mark.parametrize("algorithm", ["", "MD5", "SHA-256"])
def test_a_digest_challenge_is_answered(tmp_path: Path, algorithm: str) -> None:
    def manners(visit: Visit) -> None:
        given = visit.header("Authorization")
        if not given:
            more = f", algorithm={algorithm}" if algorithm else ""
            visit.head(f'WWW-Authenticate: Digest realm="a", nonce="n", qop="auth"{more}', status="401 No")
            return
        expected = digest_of("eva", "s3cret", given, "sha256" if algorithm == "SHA-256" else "md5")
        if f'response="{expected}"' not in given:
            visit.head(status="403 No")
            return
        streaming(part(jpeg(10)))(visit)

    with WebCamera(manners) as camera:
        source = opened(camera, login=login(tmp_path))
        assert levels(source, 1) == [10]
        source.close()
    assert len(camera.visits) == 2


def test_a_wrong_password_is_tried_once_and_stands_in_no_error(tmp_path: Path) -> None:
    def manners(visit: Visit) -> None:
        visit.head('WWW-Authenticate: Basic realm="a"', status="401 No")

    with WebCamera(manners) as camera:
        told = lost(camera, login=login(tmp_path))
        assert "refuses this name and password (401)" in told
        assert "s3cret" not in told
        assert [("Basic ZXZhOnMzY3JldA==" in one) for one in camera.visits] == [False, True]


@pytest.mark.parametrize("text", ["", "eva", "eva:x\nmore", "eva:\x01", "e:" + "x" * 2000])
def test_a_login_that_is_none_refuses_the_pipeline(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputRejected) as caught:
        build(Options(url="http://127.0.0.1:9/", login=login(tmp_path, text)), start=0)
    assert caught.value.hint
    with pytest.raises(InputRejected):
        build(Options(url="http://127.0.0.1:9/", login=str(tmp_path / "missing")), start=0)


@pytest.mark.parametrize(
    "url",
    [
        "http://eva:s3cret@camera/",
        "https://eva:s3cret@camera/",
        "https://camera/s3cret",
        "rtsp://camera/s3cret",
        "http://camera:99999/s3cret",
        "http://camera/s3cret\r\nX: y",
        "http://cam era/s3cret",
        "http:///s3cret",
    ],
)
def test_a_url_that_cannot_be_asked_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Options(url=url)
    assert "s3cret" not in str(caught.value)


def test_the_query_stands_in_the_request_and_in_no_error() -> None:
    with WebCamera(lambda visit: visit.head(status="500 No")) as camera:
        with pytest.raises(SourceLost) as caught:
            build(Options(url=camera.url("/video?password=s3cret")), start=0)
        assert "s3cret" not in str(caught.value)
        assert camera.visits[0].startswith("GET /video?password=s3cret HTTP/1.1\r\n")
