"""Single pictures over HTTP from a real server that behaves, and one that does not."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from agent.errors import InputRejected, SourceLost
from agent.sources.http_snapshot import HttpSnapshotSource, Options, build
from tests.simulators.web_camera import Visit, WebCamera, digest_of, jpeg

if TYPE_CHECKING:
    from pathlib import Path

    from agent.types import Frame


def opened(camera: WebCamera, start: int = 0, **options: Any) -> HttpSnapshotSource:
    given = {"silence_s": 0.5, "interval_s": 0.05, **options}
    return build(Options(url=camera.url("/shot.jpg"), **given), start=start)


def read_on(camera: WebCamera, **options: Any) -> None:
    with closing(opened(camera, **options)) as source:
        while True:
            source.read(0.2)


def lost(camera: WebCamera, **options: Any) -> str:
    with pytest.raises(SourceLost) as caught:
        read_on(camera, **options)
    assert caught.value.hint
    return str(caught.value)


def test_each_picture_is_asked_for_at_its_time() -> None:
    with WebCamera(lambda visit: visit.picture(jpeg(10 + 40 * visit.number))) as camera:
        source = opened(camera, start=3, interval_s=0.2)
        began = time.monotonic()
        frames = []
        for _ in range(3):
            frame = source.read(5)
            assert frame is not None
            frames.append((frame.seq, round(float(frame.data.mean()))))
        assert frames == [(3, 10), (4, 50), (5, 90)]
        assert 0.39 < time.monotonic() - began < 10
        assert source.read(0) is None
        source.close()


def test_a_slow_answer_is_waited_for_over_several_reads() -> None:
    def manners(visit: Visit) -> None:
        data = jpeg(10)
        visit.head(f"Content-Length: {len(data)}")
        visit.over.wait(0.5)
        visit.send(data[:99])
        visit.over.wait(0.5)
        visit.send(data[99:])

    with WebCamera(manners) as camera:
        source = opened(camera, silence_s=20)
        given: list[Frame | None] = []
        while not given or given[-1] is None:
            given.append(source.read(0.05))
        assert len(given) > 4
        assert len(camera.visits) == 1
        source.close()


def test_a_picture_without_a_length_ends_with_the_connection() -> None:
    def manners(visit: Visit) -> None:
        visit.head("Content-Type: image/jpeg")
        visit.send(jpeg(10))

    with WebCamera(manners) as camera:
        source = opened(camera)
        assert source.read(5) is not None
        source.close()


def test_a_digest_challenge_is_answered_and_then_remembered(tmp_path: Path) -> None:
    def manners(visit: Visit) -> None:
        given = visit.header("Authorization")
        if given and f'response="{digest_of("eva", "s3cret", given)}"' in given:
            visit.picture(jpeg(10))
        else:
            visit.head('WWW-Authenticate: Digest realm="a", nonce="n", qop="auth"', status="401 No")

    (tmp_path / "login").write_text("eva:s3cret\n")
    with WebCamera(manners) as camera:
        source = opened(camera, login=str(tmp_path / "login"))
        for _ in range(3):
            assert source.read(5) is not None
        source.close()
        counts = [one.partition("nc=")[2][:8] for one in camera.visits]
    assert counts == ["", "00000001", "00000002", "00000003"]


def test_what_is_no_picture_is_refused_and_the_next_one_asked_for() -> None:
    with WebCamera(lambda visit: visit.picture(jpeg(10) if visit.number else b"<html>")) as camera:
        source = opened(camera)
        with pytest.raises(InputRejected, match="it is no JPEG"):
            source.read(5)
        frame = source.read(5)
        assert frame is not None
        assert frame.seq == 1
        source.close()


def silent(visit: Visit) -> None:
    visit.over.wait(20)


def test_a_server_that_says_nothing_is_lost_after_its_silence() -> None:
    with WebCamera(silent) as camera:
        began = time.monotonic()
        assert "no picture in" in lost(camera)
        assert 0.5 < time.monotonic() - began < 10


def test_a_server_that_drips_is_lost_after_its_silence() -> None:
    def manners(visit: Visit) -> None:
        visit.head("Content-Length: 100000")
        while not visit.over.wait(0.02):
            visit.send(b"x")

    with WebCamera(manners) as camera:
        assert "no picture in" in lost(camera)


def test_a_picture_without_an_end_is_given_up() -> None:
    def manners(visit: Visit) -> None:
        visit.head("Content-Type: image/jpeg")
        while not visit.over.is_set():
            visit.send(bytes(1 << 20))

    with WebCamera(manners) as camera:
        assert "more than 16 MiB" in lost(camera, silence_s=30)


def test_a_connection_that_breaks_within_a_picture_is_lost() -> None:
    def manners(visit: Visit) -> None:
        visit.head("Content-Length: 1000")
        visit.send(b"x")

    with WebCamera(manners) as camera:
        assert "ended within the answer" in lost(camera)
