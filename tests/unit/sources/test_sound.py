"""Sound: from arecord, from pipes and from files."""

from __future__ import annotations

import os
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.errors import ExtraMissing, InputRejected, SourceEnded, SourceLost
from agent.sources import microphone, pcm
from agent.sources.sampling.pcm import Clock
from agent.types import Command, Needs
from tests.simulators import sounding

if TYPE_CHECKING:
    from pathlib import Path

    from agent.types import Frame, Source

SECOND = 10**9


def listen(**more: Any) -> Source:
    given = {"device": "hw:1", "capture_rate": sounding.RATE, "window": 50, **more}
    return microphone.build(microphone.Options(**given), start=0)


def hear(path: Path, start: int = 0, **more: Any) -> Source:
    given = {"path": str(path), "capture_rate": sounding.RATE, "window": 50, **more}
    return pcm.build(pcm.Options(**given), start=start)


def one(source: Source) -> Frame:
    deadline = time.monotonic() + 30
    while (frame := source.read(0.5)) is None:
        assert time.monotonic() < deadline
    return frame


def drained(source: Source) -> None:
    while True:
        source.read(0.5)


def test_arecord_is_asked_for_what_is_wanted_and_full_scale_is_one(tmp_path: Path) -> None:
    with sounding.arecord(tmp_path), closing(listen(format="s16le", device="plughw:CARD=Mic")) as source:
        frame = one(source)
    assert frame.data[:, 0].tolist() == [number / 32768 for number in range(50)]
    asked = (tmp_path / "bin/asked").read_text().split()
    assert asked == ["-t", "raw", "-f", "S16_LE", "-c", "1", "-r", "2000", "-D", "plughw:CARD=Mic"]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("arecord: main:831: audio open error: Device or resource busy", "Stop the program that holds it"),
        ("arecord: main:831: audio open error: No such file or directory", "arecord -L lists"),
        ("arecord: main:831: audio open error: Permission denied", "join the group audio"),
        ("arecord: set_params:1358: Channels count non available", "plughw: in place of hw:"),
        ("arecord: pcm_read:2221: read error: No such device", "Plug it in again"),
        (
            "arecord: set_params:1352: Sample format non available\nAvailable formats:\n- S16_LE",
            "plughw: in place",
        ),
        ("Segmentation fault", "dmesg tells more"),
    ],
)
def test_what_arecord_complains_of_is_a_loss_in_one_line_with_a_hint(
    tmp_path: Path, said: str, told: str
) -> None:
    first = said.splitlines()[0]
    with (
        sounding.arecord(tmp_path, f"echo 'ALSA lib: noise' >&2; echo '{said}' >&2; exit 1"),
        closing(listen()) as source,
        pytest.raises(SourceLost, match=rf"^read microphone hw:1: .*{first[-12:]} \(exit code 1\).*{told}"),
    ):
        drained(source)


def test_a_device_that_has_another_rate_is_lost_rather_than_heard_too_slow(tmp_path: Path) -> None:
    said = "Warning: rate is not accurate (requested = 2000Hz, got = 8000Hz)"
    with (
        sounding.arecord(tmp_path, f"echo '{said}' >&2; cat $HERE/chunk; sleep 60"),
        closing(listen()) as source,
        pytest.raises(SourceLost, match=r"got = 8000Hz.*plughw: in place"),
    ):
        drained(source)


def test_an_overrun_fails_the_window_that_it_is_in_and_the_next_one_is_whole(tmp_path: Path) -> None:
    script = """
head -c 80 $HERE/chunk; while [ ! -e $HERE/heard ]; do sleep 0.01; done
echo 'overrun!!! (at least 12.345 ms long)' >&2; cat $HERE/chunk
while [ ! -e $HERE/told ]; do sleep 0.01; done
cat $HERE/chunk; sleep 60
"""
    with sounding.arecord(tmp_path, script), closing(listen(window=30)) as source:
        assert one(source).seq == 0
        (tmp_path / "bin/heard").touch()
        with pytest.raises(InputRejected, match=r"hw:1 window 1: overrun!!! .at least 12\.345 ms"):
            one(source)
        (tmp_path / "bin/told").touch()
        frame = one(source)
        assert (frame.seq, frame.data[:, 0].tolist()) == (2, [number / 32768 for number in range(30)])


def test_a_microphone_that_goes_silent_is_lost(tmp_path: Path) -> None:
    with (
        sounding.arecord(tmp_path, "exec sleep 60"),
        closing(listen(silence_s=0.5)) as source,
        pytest.raises(SourceLost, match=r"no sample for 0\.\d s"),
    ):
        drained(source)


def test_without_arecord_its_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ExtraMissing, match=r"no program arecord.*apt-get install alsa-utils"):
        listen()


@pytest.mark.alsa
def test_the_real_arecord_gives_what_a_device_of_alsa_plays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tone = np.rint(20000 * np.sin(np.arange(1600) * (2 * np.pi * 440 / 16000))).astype("<i2")
    (tmp_path / "tone").write_bytes(tone.tobytes())
    device = f'type file slave.pcm null file /dev/null infile "{tmp_path}/tone" format raw'
    (tmp_path / ".asoundrc").write_text(f"pcm.tone {{ {device} }}\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    with closing(listen(device="tone", capture_rate=16000, window=1600)) as source:
        np.testing.assert_array_equal(one(source).data[:, 0], (tone / 32768).astype(np.float32))
    with closing(listen(device="nosuch")) as source, pytest.raises(SourceLost, match=r"arecord -L lists"):
        drained(source)


@pytest.mark.parametrize("device", ["-D", "", "a\nb", "--help"])
def test_a_device_that_arecord_would_take_for_something_else_is_refused(device: str) -> None:
    with pytest.raises(ValidationError):
        microphone.Options(device=device, window=1)


def test_samples_of_a_pipe_are_cut_wherever_its_writer_paused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with closing(hear(tmp_path / "pipe", channels=2, format="f32le", window=2)) as source:
        end = os.open(tmp_path / "pipe", os.O_WRONLY)
        data = np.arange(8, dtype="<f4").tobytes()
        os.write(end, data[:5])
        assert source.read(0.05) is None
        os.write(end, data[5:])
        assert one(source).data.tolist() == [[0, 1], [2, 3]]
        assert one(source).data.tolist() == [[4, 5], [6, 7]]
        os.write(end, data[:8])
        assert source.read(1.2) is None
        os.write(end, data)
        with pytest.raises(InputRejected, match=r"window 2: no sample for 1\.\d s"):
            one(source)
        assert one(source).data.tolist() == [[0, 1], [2, 3]]
        os.close(end)
        assert one(source).seq == 4
        with pytest.raises(SourceLost, match="has ended"):
            one(source)


def test_a_file_is_a_recording(tmp_path: Path) -> None:
    np.arange(8, dtype="<i4").tofile(tmp_path / "raw")
    with closing(hear(tmp_path / "raw", start=1, format="s32le", window=3)) as source:
        assert source.live is False
        frame = one(source)
        assert (frame.seq, (frame.data[:, 0] * 2.0**31).tolist()) == (1, [3, 4, 5])
        with pytest.raises(SourceEnded):
            one(source)
    (tmp_path / "raw").write_bytes(b"x")
    with pytest.raises(InputRejected, match="its 1 bytes are no sample"):
        hear(tmp_path / "raw", format="s32le")


def test_a_pipe_that_is_not_there_is_lost_with_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(SourceLost, match="mkfifo"):
        hear(tmp_path / "none")


def test_a_rate_that_makes_too_much_of_too_little_is_refused() -> None:
    with pytest.raises(ValidationError, match="more than 8 times"):
        pcm.Options(path="x", window=1, capture_rate=2000, rate=17_000)


def test_they_need_their_program_their_cards_and_their_pipe(tmp_path: Path) -> None:
    for device, network in (("plughw:0", False), ("hw:CARD=x", False), ("default", True)):
        options = microphone.Options(window=1, device=device)
        reached = Needs(devices=("/dev/snd",), network=network)
        assert microphone.needs(options) == Needs(programs=(Command(microphone.command(options), reached),))
    path = tmp_path / "sound"
    assert pcm.needs(pcm.Options(path=str(path), window=1)) == Needs(devices=(str(path),))
    path.touch()
    assert pcm.needs(pcm.Options(path=str(path), window=1)) == Needs(read=(str(path),))


@given(st.floats(-0.0009, 0.0009), st.lists(st.integers(0, 200), min_size=40, max_size=40))
def test_samples_are_dated_right_by_a_crystal_that_is_off_and_bytes_that_are_late(
    drift: float, delays: list[int]
) -> None:
    """Bytes come up to 200 ms late, and on time once a second."""
    clock, dates = Clock(1000), []
    for step in range(1, 600):
        true_ns = SECOND + round(step * 100 * 10**6 * (1 + drift))
        delay_ms = delays[step % 40] if step % 10 else 0
        clock.heard(step * 100, true_ns + delay_ms * 10**6)
        dates.append(clock.monotonic(step * 100 * 10**6))
        if step > 20:
            assert abs(dates[-1] - true_ns) < 3 * 10**6
    assert dates == sorted(dates)
