"""What the operator's own commands publish, the updater of a device takes: whatever happened in between."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from agent.fleet.repository.repository import opened
from agent.updater.https import Mirror
from tests.simulators.operating import ask, make_bundle
from tests.simulators.updating import Device

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.demo.broker import Broker
    from tests.simulators.edgectl import Edgectl

pytestmark = pytest.mark.mosquitto


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve files as any web server does; give the address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def device(tmp_path: Path, edgectl: Edgectl, broker: Broker) -> Device:
    """A device that knows nothing but the first root."""
    root = (edgectl.folder / "tuf/meta/1.root.json").read_bytes()
    return Device(tmp_path / "device", root, broker.port, "default")


def test_a_device_takes_what_is_published_through_rotations_revocations_and_gc(
    edgectl: Edgectl, device: Device, shapes: Path, tmp_path: Path
) -> None:
    edgectl("publish", shapes)
    assert device.update("shapes@1.0.0").verdict == "accepted"
    for what in ("online", "models", "root"):
        edgectl("rotate", what)
    edgectl("publish", make_bundle(tmp_path / "b", "2.0.0", {"m.tflite": b"m" * 9000, "g": b"g"}, chunk=1024))
    edgectl("revoke", "shapes@1.0.0")
    edgectl("gc")
    assert device.update("shapes@2.0.0").verdict == "accepted"
    assert device.update("shapes@1.0.0").verdict != "accepted"
    for what in ("fleet", "targets", "root"):
        edgectl("rotate", what)
    edgectl("resign", "--role", "models")
    assert device.update("shapes@2.0.0").verdict == "accepted"


def test_a_device_takes_it_from_a_mirror_on_any_web_server(
    edgectl: Edgectl, device: Device, shapes: Path, tmp_path: Path
) -> None:
    edgectl.local("publish", shapes, "--local")
    edgectl.local("mirror", tmp_path / "www")
    with served(tmp_path / "www") as address:
        assert device.update("shapes@1.0.0", shelf=Mirror(address)).verdict == "accepted"
        edgectl.local("rotate", "online", "--local")
        edgectl.local("revoke", "shapes@1.0.0", "--local")
        edgectl.local("mirror", tmp_path / "www")
        assert device.update("shapes@1.0.0", shelf=Mirror(address)).verdict != "accepted"


def test_a_device_learns_whose_desired_states_count(edgectl: Edgectl, device: Device) -> None:
    from agent.documents import keys

    for rotate in (False, True):
        edgectl(*(("rotate", "fleet") if rotate else ("resign",)))
        told = device.update()
        (verifier,) = keys.decode(told.documents[keys.TARGET].encode()).verifiers("desired")
        with opened(edgectl.folder, ask) as repository:
            assert verifier.key_id == repository.keys.control().key_id
