"""The loop that people write: read, cvtColor, resize, set_tensor, invoke, get_tensor; in one thread.

``python -m bench.plain_loop VIDEO MODEL OUT`` writes the frames' capture times (CLOCK_MONOTONIC, ns) to OUT.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter


def main(video: str, model: str, out: str) -> None:
    interpreter = Interpreter(model_content=Path(model).read_bytes(), num_threads=1)
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]
    sink = interpreter.get_output_details()[0]["index"]
    _, height, width, _ = source["shape"]
    shift = source["dtype"] is np.int8
    capture = cv2.VideoCapture(video)
    stamps = []
    best = 0
    while True:
        good, frame = capture.read()
        if not good:
            break
        stamps.append(time.monotonic_ns())
        picture = cv2.resize(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), (int(width), int(height)))
        tensor = np.bitwise_xor(picture, np.uint8(128)).view(np.int8) if shift else picture
        interpreter.set_tensor(source["index"], tensor[np.newaxis])
        interpreter.invoke()
        best += int(interpreter.get_tensor(sink)[0].argmax())
    stamps.append(time.monotonic_ns())
    np.save(out, np.array(stamps, dtype=np.int64))


if __name__ == "__main__":
    main(*sys.argv[1:4])
