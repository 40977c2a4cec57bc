"""A sensor that publishes to a broker."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from agent.demo.broker import Broker
from tests.simulators.examples.example import Example, Plug

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def publishing(port: int, topic: str, payload: bytes, every_s: float = 0.004) -> Iterator[threading.Event]:
    """Publish a message again and again as long as the event is set, also to a broker that was away."""
    quiet, talking = threading.Event(), threading.Event()
    talking.set()
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)

    def publish() -> None:
        while not quiet.wait(every_s):
            if client.socket() is None:
                with suppress(OSError):  # it is away for now
                    client.reconnect()
            elif talking.is_set():
                client.publish(topic, payload)
            client.loop(0)
        client.disconnect()

    publisher = threading.Thread(target=publish)
    publisher.start()
    try:
        yield talking
    finally:
        quiet.set()
        publisher.join()


@contextmanager
def unplugged_broker(folder: Path) -> Iterator[Plug]:
    broker = Broker(folder / "broker")
    broker.start()
    try:
        with publishing(broker.port, "pump/accel", b'{"x": 1.5}') as talking:
            yield Plug({"port": broker.port}, out=broker.cut, back=broker.restore, hush=talking.clear)
    finally:
        broker.stop()


@contextmanager
def talking_broker(folder: Path) -> Iterator[dict[str, Any]]:
    with unplugged_broker(folder) as plug:
        yield plug.options


EXAMPLES = {
    "mqtt": Example(
        "windows",
        lambda _: {
            "host": "127.0.0.1", "topics": ["pump/+"], "channels": ["/x"],
            "rate": 200, "window": 4, "max_gap_s": 30,
        },
        lambda _: {"rate": 4, "window": 1},
        endless=True,
        beside=talking_broker,
        plug=unplugged_broker,
        reopened=60,
    )
}  # fmt: skip
