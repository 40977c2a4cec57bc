"""Why a camera gives no RTSP stream: told in one line by a peer that behaves, and by many that do not."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import LoginRefused, SourceLost
from agent.sources.streaming import describe as module
from agent.sources.streaming.describe import describe, greet
from agent.sources.streaming.description import KNOWN, video
from agent.sources.streaming.place import for_ffmpeg, parse
from agent.sources.web.login import Login
from tests.simulators.web_camera import Visit, WebCamera

if TYPE_CHECKING:
    from agent.sources.web.address import Address

SDP = "v=0\r\ns=x\r\nm=audio 0 RTP/AVP 8\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"


def answer(body: str = "", status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"RTSP/1.0 {status}", "CSeq: 1", *headers]
    lines += [f"Content-Length: {len(body)}"] if body else []
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def saying(*answers: bytes) -> Any:
    def manners(visit: Visit) -> None:
        visit.send(answers[min(visit.number, len(answers) - 1)])
        visit.over.wait(20)

    return manners


def place(camera: WebCamera) -> Address:
    return parse(f"rtsp://127.0.0.1:{camera.port}/cam?secret=1")[0]


def told(*answers: bytes, login: Login | None = None) -> str:
    with WebCamera(saying(*answers)) as camera, pytest.raises(SourceLost) as caught:
        describe(place(camera), login)
    assert caught.value.hint
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)
    return str(caught.value)


def test_a_camera_with_a_video_that_we_read_is_asked_for_it_and_that_is_all() -> None:
    with WebCamera(saying(answer(SDP))) as camera:
        greet(place(camera))
        describe(place(camera), None)
        greeting, request = camera.visits
    assert greeting.startswith(f"OPTIONS rtsp://127.0.0.1:{camera.port}/cam?secret=1 RTSP/1.0\r\n")
    assert request.startswith(f"DESCRIBE rtsp://127.0.0.1:{camera.port}/cam?secret=1 RTSP/1.0\r\n")
    assert "Accept: application/sdp\r\n" in request


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("401 Unauthorized", "it wants a name and a password (401)"),
        ("403 Forbidden", "it wants a name and a password (403)"),
        ("404 Not Found", "it has nothing at this path (404)"),
        ("301 Moved", "it sends us elsewhere (301)"),
        ("453 Not Enough Bandwidth", "it is busy (453)"),
        ("500 Internal Server Error", "it answers with status 500"),
    ],
)
def test_a_refusal_is_told_in_our_words(status: str, said: str) -> None:
    assert said in told(answer(status=status))


def test_one_that_is_busy_is_asked_once_more() -> None:
    with WebCamera(saying(answer(status="503 Service Unavailable"), answer(SDP))) as camera:
        describe(place(camera), None)
        assert len(camera.visits) == 2
    assert "it is busy (503)" in told(answer(status="503 Service Unavailable"))


def test_a_wrong_password_is_tried_once_and_stands_in_no_error() -> None:
    refusal = answer("", "401 Unauthorized", 'WWW-Authenticate: Basic realm="x"')
    with WebCamera(saying(refusal)) as camera:
        with pytest.raises(LoginRefused, match="it refuses this name and password") as caught:
            describe(place(camera), Login("yard", "hunter2"))
        assert len(camera.visits) == 2
        assert "Authorization: Basic " in camera.visits[1]
    assert "yard" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", "it speaks no RTSP/1.0"),
        (b"\x00\x01\x02\x03" * 10, "it speaks no RTSP/1.0"),
        (b"RTSP/1.0 fine\r\n\r\n", "it speaks no RTSP/1.0"),
        (b"RTSP/1.0 200 OK\r\n" + b"X: y\r\n" * 4000, "bytes of headers"),
        (answer("x" * 100_000), "a description of more than 65536 bytes"),
        (answer(), "it describes no stream"),
        (answer("<html>"), "it describes no stream"),
        (answer("v=0\r\nm=audio 0 RTP/AVP 8\r\n"), "it streams no video"),
        (answer("m=video 0 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n"), "its video is VP8"),
        (answer("m=video 0 RTP/AVP 97\r\n"), "its video is ?"),
    ],
)
def test_an_answer_that_is_nothing_for_us_is_told_in_one_line(data: bytes, said: str) -> None:
    assert said in told(data)


def test_a_camera_that_never_answers_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        began = time.monotonic()
        with pytest.raises(SourceLost, match=r"no answer in 0\.3 s"):
            greet(parse(f"rtsp://127.0.0.1:{server.getsockname()[1]}/x")[0])
        assert time.monotonic() - began < 2


def test_a_camera_that_drips_its_answer_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def manners(visit: Visit) -> None:
        for byte in answer(SDP):
            visit.send(bytes([byte]))
            if visit.over.wait(0.05):
                return

    monkeypatch.setattr(module, "ANSWER_S", 0.5)
    with WebCamera(manners) as camera, pytest.raises(SourceLost, match="no answer in"):
        greet(place(camera))


def test_the_codecs_of_all_videos_are_found_by_map_or_by_their_fixed_numbers() -> None:
    more = "m=video 0 RTP/AVP 26\r\nm=application 0 RTP/AVP 107\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\n"
    assert video(SDP + more) == ["H264", "JPEG"]
    assert set(video(SDP + more)) <= KNOWN.keys()
    assert video("m=video 5004/2 RTP/SAVPF 98 99\na=rtpmap:99 rtx/90000\na=rtpmap:98 h265/90000\n") == [
        "H265"
    ]


LINES = st.sampled_from(["m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/90000", "m=", "a=rtpmap:"])


@given(st.lists(LINES | st.text(max_size=40), max_size=8))
def test_no_description_breaks_the_reader(lines: list[str]) -> None:
    text = "\r\n".join(lines)
    try:
        found = video(text)
    except ValueError:
        return
    assert len(found) <= len(text.splitlines())


SIGNS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=20)


@given(
    SIGNS.filter(lambda user: ":" not in user),
    SIGNS,
    st.sampled_from(["192.0.2.1", "[::1]", "camera.example"]),
)
def test_any_login_survives_the_url(user: str, password: str, host: str) -> None:
    url = f"rtsp://{quote(user, safe='')}:{quote(password, safe='')}@{host}:8554/a?b=c"
    address, login = parse(url)
    assert login == (user, password)
    assert (address.host, address.port, address.target) == (host.strip("[]"), 8554, "/a?b=c")
    assert address.shown == f"rtsp://{host}:8554/a"
    assert parse(for_ffmpeg(address, login)) == (address, login)


def test_a_password_with_an_at_sign_may_stand_as_it_is_and_the_usual_port_is_left_out() -> None:
    address, login = parse("rtsp://yard:p@ss@192.0.2.1/x")
    assert (address.port, address.authority, login) == (554, "192.0.2.1", ("yard", "p@ss"))
    assert for_ffmpeg(address, None) == "rtsp://192.0.2.1/x"
