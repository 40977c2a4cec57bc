"""A device's side of bench.delivery: one download, in a process of its own.

``python -m bench.fetched ours PORT FOLDER ROOT`` runs the updater's session into FOLDER.
``python -m bench.fetched raw PORT SHA256 SIZE CHUNK [FILE]`` is what one would write with paho: subscribe to
all chunks at once, and write them into FILE as they come, which is made durable in the end; without FILE they
are only counted. Both print their seconds, from before they connect until the last byte is there.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from agent.files import sync_folder
from agent.link.bulk import Bulk
from agent.link.settings import LinkSettings
from agent.updater import session
from agent.updater.messages import Ask, Fetched, FromUpdater, UpdaterSpec

if TYPE_CHECKING:
    from paho.mqtt.client import MQTTMessage

FLEET = "bench"
MODEL = Ask(name="det", version="1.0.0")
BROKER = "127.0.0.1"


def spec_of(folder: Path, root: bytes) -> UpdaterSpec:
    """What a new device's updater is to do."""
    where = {"fleet": FLEET, "device": "cam-1", "broker": None, "folder": str(folder)}
    return UpdaterSpec(**where, root=root.decode(), ask=(MODEL,))


def ours(port: int, folder: Path, root: Path, host: str = BROKER) -> float:
    """Fetch the model as a device does."""
    said: list[FromUpdater] = []
    spec = spec_of(folder, root.read_bytes())
    began = time.monotonic()
    with closing(Bulk(LinkSettings(host, port, ""), FLEET, "cam-1", spec.window)) as shelf:
        session.run(spec, shelf, said.append)
    took = time.monotonic() - began
    assert any(isinstance(one, Fetched) for one in said), said
    return took


def raw(
    port: int, sha256: str, size: int, *, chunk: int, file: Path | None = None, host: str = BROKER
) -> float:
    """Take the same bytes without proving anything."""
    seen = 0
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT) if file else -1

    def on_message(client: Client, _data: Any, message: MQTTMessage) -> None:
        nonlocal seen
        seen += len(message.payload)
        if descriptor >= 0:
            os.pwrite(descriptor, message.payload, int(message.topic.rpartition("/")[2]) * chunk)
        if seen >= size:
            client.disconnect()

    client = Client(CallbackAPIVersion.VERSION2)
    client.on_socket_open = _no_delay
    client.on_connect = lambda client, *_: client.subscribe(f"edge/v1/{FLEET}/tuf/blob/{sha256}/#", qos=1)
    client.on_message = on_message
    began = time.monotonic()
    client.connect(host, port)
    client.loop_forever()
    if file:
        os.fsync(descriptor)
        os.close(descriptor)
        file.rename(file.with_suffix(".tflite"))
        sync_folder(file.parent)
    return time.monotonic() - began


def _no_delay(_client: Client, _data: Any, sock: Any) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def main(which: str, port: str, *rest: str) -> None:
    """Do one of the two."""
    if which == "ours":
        print(ours(int(port), Path(rest[0]), Path(rest[1])))
    else:
        sha256, size, chunk, *file = rest
        print(raw(int(port), sha256, int(size), chunk=int(chunk), file=Path(file[0]) if file else None))


if __name__ == "__main__":
    main(*sys.argv[1:])
