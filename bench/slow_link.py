"""Commands on a slow link while a model downloads over it, in network namespaces; for bench.delivery.

``unshare --net python -m bench.slow_link WHICH RATE FOLDER`` has a broker, an operator and, in a namespace of
its own behind a first-in-first-out link of RATE bytes/s, a device that answers commands and fetches a model.
WHICH is ``ours``, ``raw`` (see bench.fetched) or ``idle``. It prints the seconds of each command until its
answer, as JSON.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.link.mqtt import Link
from agent.link.settings import LinkMessage, LinkSettings, LinkUp
from bench import fetched

if TYPE_CHECKING:
    from collections.abc import Iterator

PORT = 1883
HOST, DEVICE = "192.0.2.1", "192.0.2.2"
_QUEUE = "2mb"
"""What waits for the link; more than any of the two sends, so that nothing is dropped."""
_EVERY_S = 0.25
_CONFIG = "listener {port} 0.0.0.0\nallow_anonymous true\nuser root\nset_tcp_nodelay true\nlog_type none\n"
_LIMITS = "max_queued_messages 10000\n"


def operator(which: str, rate: int, folder: Path) -> list[float]:
    """Lay the link, ask and time the answers; the device's process does the rest."""
    _run("ip", "link", "set", "lo", "up")
    with _broker(folder):
        _publish(folder)
        command = ["unshare", "--net", sys.executable, "-m", "bench.slow_link", which, "device", str(folder)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as device:
            assert device.stdin is not None
            assert device.stdout is not None
            assert device.stdout.readline() == "here\n"
            _lay(device.pid, rate)
            device.stdin.write("\n")
            device.stdin.flush()
            assert device.stdout.readline() == "ready\n"
            device.stdin.write("\n")
            device.stdin.flush()
            return _timed(device)


def _timed(device: subprocess.Popen[str]) -> list[float]:
    """Send commands until the device says that it is done; give how long each answer took."""
    took: list[float] = []

    def post(event: object) -> None:
        if isinstance(event, LinkMessage):
            took.append(time.monotonic() - float(event.payload))

    assert device.stdout is not None
    link = Link(LinkSettings("127.0.0.1", PORT, "operator"), post=post, subscriptions=[("bench/answer", 1)])
    link.start()
    done = threading.Thread(target=device.stdout.readline)
    done.start()
    time.sleep(0.2)
    sent = 0
    while done.is_alive():
        link.publish("bench/command", repr(time.monotonic()).encode(), qos=1)
        sent += 1
        done.join(_EVERY_S)
    give_up = time.monotonic() + 10
    while len(took) < sent and time.monotonic() < give_up:
        time.sleep(0.01)
    link.close()
    assert len(took) == sent, f"{sent - len(took)} of {sent} commands were not answered"
    return took


def device(which: str, folder: Path) -> None:
    """Answer commands on one connection, and fetch the model on another."""
    print("here", flush=True)
    sys.stdin.readline()
    ups: queue.SimpleQueue[object] = queue.SimpleQueue()

    def post(event: object) -> None:
        if isinstance(event, LinkMessage):
            link.publish("bench/answer", event.payload, qos=1)
        elif isinstance(event, LinkUp):
            ups.put(event)

    link = Link(LinkSettings(HOST, PORT, "device"), post=post, subscriptions=[("bench/command", 1)])
    link.start()
    ups.get()
    print("ready", flush=True)
    sys.stdin.readline()
    size, chunk = int((folder / "size").read_text()), int((folder / "chunk").read_text())
    if which == "ours":
        fetched.ours(PORT, folder / "data", folder / "root.json", HOST)
    elif which == "raw":
        fetched.raw(PORT, (folder / "sha256").read_text(), size, chunk=chunk, host=HOST)
    else:
        time.sleep(5)
    print("done", flush=True)
    time.sleep(3)  # the last commands are answered, too
    link.close()


@contextmanager
def _broker(folder: Path) -> Iterator[None]:
    config = folder / "slow.conf"
    config.write_text(_CONFIG.format(port=PORT) + _LIMITS)
    with subprocess.Popen(["mosquitto", "-c", str(config)], stderr=subprocess.DEVNULL) as process:
        try:
            time.sleep(0.5)
            yield
        finally:
            process.terminate()


def _publish(folder: Path) -> None:
    from tests.simulators.retained import Retained

    files = {path.relative_to(folder / "tuf"): path for path in (folder / "tuf").rglob("*") if path.is_file()}
    Retained(PORT, fetched.FLEET).show({str(name): path.read_bytes() for name, path in files.items()})


def _lay(pid: int, rate: int) -> None:
    """Join this namespace and that of a process by a link that sends so many bytes/s to it."""
    _run("ip", "link", "add", "name", "v0", "type", "veth", "peer", "name", "v1")
    _run("ip", "link", "set", "v1", "netns", str(pid))
    _run("ip", "addr", "add", f"{HOST}/24", "dev", "v0")
    _run("ip", "link", "set", "v0", "up")
    for words in (f"addr add {DEVICE}/24 dev v1", "link set v1 up", "link set lo up"):
        _run("nsenter", "--target", str(pid), "--net", "ip", *words.split())
    shape = f"qdisc add dev v0 root tbf rate {rate}bps burst 4k limit {_QUEUE}"
    _run("tc", *shape.split())


def _run(*command: str) -> Any:
    return subprocess.run(command, check=True)


if __name__ == "__main__":
    if sys.argv[2] == "device":
        device(sys.argv[1], Path(sys.argv[3]))
    else:
        print(json.dumps(operator(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))))
