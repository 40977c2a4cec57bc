"""A stand-in for ``rpicam-vid``: a program that takes its options, and gives real JPEGs or raw frames."""

from __future__ import annotations

import base64
import json
import sys
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """#!{python} -I
import base64, json, os, sys, time

def complain(*words):
    print(*words, file=sys.stderr, flush=True)

options = sys.argv[1:]
value = {{key: options[at + 1] for at, key in enumerate(options[:-1]) if key.startswith("--")}}
mood = {mood}
if log := mood.get("log"):
    with open(log, "a") as file:
        file.write(json.dumps([os.getpid(), options]) + "\\n")
complain("[0:01:02.345678901] [812]  INFO Camera camera_manager.cpp:325 libcamera v0.3.2")
if says := mood.get("says"):
    complain(says)
    sys.exit(255)
assert value["--timeout"] == "0" and value["--output"] == "-" and "--nopreview" in options
time.sleep(mood.get("starts_s", 0))
width, height = int(value["--width"]), int(value["--height"])
if value["--codec"] == "yuv420":
    frame = b"\\x80" * (width * height) + b"\\x60" * (width * height // 4) + b"\\xa0" * (width * height // 4)
else:
    frame = base64.b64decode({jpeg!r})
out, due, number = sys.stdout.buffer, time.monotonic(), 0
while number != mood.get("ends_after"):
    if number == mood.get("freezes_after"):
        time.sleep(600)
    if mood.get("bad_every") and number % mood["bad_every"] == 1:
        out.write(frame[:2] + b"\\xff\\xda\\x00\\x02" + b"\\x00" * 99 + b"\\xff\\xd9")
    else:
        out.write(frame)
    out.flush()
    number += 1
    due += 1 / float(value["--framerate"])
    time.sleep(max(0, due - time.monotonic()))
complain("ERROR: *** the device went away ***")
sys.exit(255)
"""


def install(folder: Path, name: str = "rpicam-vid", size: tuple[int, int] = (64, 64), **mood: object) -> str:
    """Put the program into ``folder``; give its path.

    Args:
        folder: where it goes; made if it is not there.
        name: of the program.
        size: width and height of its JPEGs, which it does not make itself.
        mood: ``says`` an error and ends; ``starts_s`` later; ``ends_after``, ``freezes_after`` frames;
            ``bad_every`` frames; ``log`` names a file that a line is added to at each start.
    """
    folder.mkdir(exist_ok=True)
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    picture[:] = (30, 120, 200)
    encoded = base64.b64encode(cv2.imencode(".jpg", picture)[1].tobytes()).decode()
    path = folder / name
    aside = folder / f".{name}"
    text = SCRIPT.format(python=sys.executable, jpeg=encoded, mood=repr(json.loads(json.dumps(mood))))
    aside.write_text(text)
    aside.chmod(0o755)
    aside.rename(path)
    return str(path)
