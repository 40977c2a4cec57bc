"""The loop that people write, with what it publishes: convert, resize, infer, publish; in one process.

``python -m bench.plain_memory MODEL`` says a line when it has done so for a while, and goes on.
"""

from __future__ import annotations

import itertools
import sys
import time
from pathlib import Path

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

_FPS = 10
_SAY = 30


def main(model: str) -> None:
    """Run until it is killed."""
    client = Client(CallbackAPIVersion.VERSION2)
    interpreter = Interpreter(model_content=Path(model).read_bytes(), num_threads=1)
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]
    sink = interpreter.get_output_details()[0]["index"]
    _, height, width, _ = source["shape"]
    frame = np.zeros((480, 640, 3), np.uint8)
    for number in itertools.count():
        frame += 1
        picture = cv2.resize(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), (int(width), int(height)))
        interpreter.set_tensor(source["index"], picture[np.newaxis])
        interpreter.invoke()
        client.publish("result", str(interpreter.get_tensor(sink)[0].argmax()))
        if number == _SAY:
            print("running", flush=True)
        time.sleep(1 / _FPS)


if __name__ == "__main__":
    main(sys.argv[1])
