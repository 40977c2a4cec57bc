"""What sounds: a program that plays arecord, and one that writes into a named pipe."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RATE = 2000
_STEP_S = 0.05


def chunk() -> bytes:
    """Give what 0.05 s sound like: 100 samples of one channel."""
    return np.arange(100, dtype="<i2").tobytes()


SCRIPT = """
while [ ! -e "$HERE/gone" ]; do sleep 0.05; [ -e "$HERE/hush" ] || cat "$HERE/chunk"; done
echo 'arecord: pcm_read:2221: read error: No such device' >&2
exit 1
"""


@contextmanager
def arecord(folder: Path, script: str = SCRIPT) -> Iterator[Path]:
    """Have another arecord on the PATH: a script, which finds its folder, given here, in ``HERE``."""
    place = folder / "bin"
    place.mkdir(exist_ok=True)
    (place / "chunk").write_bytes(chunk())
    program = place / "arecord"
    program.write_text(f'#!/bin/sh\nHERE={place}\necho "$@" > "$HERE/asked"\n{script}\n')
    program.chmod(0o755)
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{place}:{before}"
    try:
        yield place
    finally:
        os.environ["PATH"] = before


@contextmanager
def written_pipe(path: Path) -> Iterator[threading.Event]:
    """Write 2000 samples a second into a named pipe, whenever it is read, while the event is set."""
    os.mkfifo(path)
    quiet, playing = threading.Event(), threading.Event()
    playing.set()

    def play() -> None:
        while not quiet.wait(_STEP_S):
            with suppress(OSError):  # nobody listens for now
                end = os.open(path, os.O_WRONLY | os.O_NONBLOCK) if playing.is_set() else -1
                try:
                    while playing.is_set() and not quiet.wait(_STEP_S):
                        os.write(end, chunk())
                finally:
                    os.close(end)

    player = threading.Thread(target=play)
    player.start()
    try:
        yield playing
    finally:
        quiet.set()
        player.join()
