"""What a broker retains below ``tuf/``, as who has got into it sees and changes it."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

if TYPE_CHECKING:
    from collections.abc import Iterator

TOP = "edge/v1/default/tuf/"


@contextmanager
def ear(port: int) -> Iterator[list[tuple[str, bytes]]]:
    """Hear everything below ``tuf/``, what is retained first."""
    heard: list[tuple[str, bytes]] = []
    ready = threading.Event()

    def hear(_client: Client, _data: Any, message: MQTTMessage) -> None:
        heard.append((message.topic.removeprefix(TOP), bytes(message.payload)))

    client = Client(CallbackAPIVersion.VERSION2)
    client.on_message = hear
    client.on_subscribe = lambda *_: ready.set()
    client.connect("127.0.0.1", port)
    client.subscribe(TOP + "#", 1)
    client.loop_start()
    assert ready.wait(30)
    try:
        yield heard
    finally:
        client.disconnect()
        client.loop_stop()


def retained(port: int) -> dict[str, bytes]:
    """What the broker retains below ``tuf/``."""
    with ear(port) as heard:
        put(port, "end", b"end", retain=False)  # comes behind all that is retained
        give_up = time.monotonic() + 30
        while heard[-1:] != [("end", b"end")]:
            assert time.monotonic() < give_up
            time.sleep(0.01)
        return dict(heard[:-1])


def put(port: int, path: str, content: bytes, *, retain: bool = True) -> None:
    """Retain something, as who has got into the broker would."""
    client = Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.publish(
        path if path.startswith("edge/") else TOP + path, content, 1, retain=retain
    ).wait_for_publish(10)
    client.disconnect()
    client.loop_stop()
