"""The other side of bench.sync: a plain paho publisher of blocks, QoS 1, and a subscriber that counts.

``python -m bench.bare publish PORT FOLDER`` sends each block of a data folder, one a message, and prints when
it began; ``python -m bench.bare count PORT RECORDS`` says "ready", and prints when so many came. Times
are CLOCK_MONOTONIC, seconds.
"""

from __future__ import annotations

import socket
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from agent.store.segment import Segment

if TYPE_CHECKING:
    from paho.mqtt.client import MQTTMessage

    from agent.blocks import Block

TOPIC = "bench/blocks"


def publish(port: int, folder: Path) -> None:
    blocks: list[Block] = []
    for path in sorted((folder / "segments").glob("result-*.db")):
        with closing(Segment.sealed(path)) as segment:
            blocks += segment.read(1, 1 << 40)
    client = Client(CallbackAPIVersion.VERSION2)
    client.on_socket_open = _no_delay
    began = time.monotonic()
    client.connect("127.0.0.1", port)
    client.loop_start()
    last = None
    for block in blocks:
        last = client.publish(TOPIC, block.count.to_bytes(4) + block.data, qos=1)
    if last is not None:
        last.wait_for_publish(300)
    client.disconnect()
    client.loop_stop()
    print(began)


def count(port: int, wanted: int) -> None:
    seen = 0

    def on_message(client: Client, _data: Any, message: MQTTMessage) -> None:
        nonlocal seen
        seen += int.from_bytes(message.payload[:4])
        if seen >= wanted:
            print(time.monotonic(), flush=True)
            client.disconnect()

    client = Client(CallbackAPIVersion.VERSION2)
    client.on_socket_open = _no_delay
    client.on_connect = lambda client, *_: client.subscribe(TOPIC, qos=1)
    client.on_subscribe = lambda *_: print("ready", flush=True)
    client.on_message = on_message
    client.connect("127.0.0.1", port)
    client.loop_forever()


def _no_delay(_client: Client, _data: Any, sock: Any) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


if __name__ == "__main__":
    if sys.argv[1] == "publish":
        publish(int(sys.argv[2]), Path(sys.argv[3]))
    else:
        count(int(sys.argv[2]), int(sys.argv[3]))
