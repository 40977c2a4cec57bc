"""edge-agent tuf, in the words of the public conformance suite: exit code 0 or 1, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.cli import main
from agent.updater.targets import TRIES
from tests.simulators.retained import Retained
from tests.simulators.tuf_fleet import TufFleet
from tests.simulators.web_shelf import WebShelf

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.demo.broker import Broker

DOCUMENT = "fleet/keys.json"


@pytest.fixture
def fleet() -> TufFleet:
    found = TufFleet()
    found.add_document(DOCUMENT, b"one")
    return found


@pytest.fixture
def web(fleet: TufFleet) -> Iterator[WebShelf]:
    with WebShelf({}) as found:
        show(found, fleet)
        yield found


def show(web: WebShelf, fleet: TufFleet) -> None:
    """Publish as a web server holds it: targets by their hash and name."""
    for sha256, chunks in fleet.blobs.items():
        web.files[f"t/fleet/{sha256}.keys.json"] = b"".join(chunks)
    web.files |= {f"m/{name}": data for name, data in fleet.meta.items()}


class Client:
    """Runs the command."""

    def __init__(self, folder: Path, url: str, base: str = "") -> None:
        self.meta, self.targets = folder / "meta", folder / "targets"
        self._url, self._base, self._folder = url, base or url, folder

    def init(self, root: bytes) -> int:
        (self._folder / "first.json").write_bytes(root)
        return self._run("init", str(self._folder / "first.json"))

    def refresh(self) -> int:
        return self._run("--metadata-url", self._url, "refresh")

    def download(self, *names: str) -> int:
        wanted = [word for name in names for word in ("--target-name", name)]
        where = ["--target-base-url", self._base, "--target-dir", str(self.targets)]
        return self._run("--metadata-url", self._url, *wanted, *where, "download")

    def _run(self, *words: str) -> int:
        return main.run(["tuf", "--metadata-dir", str(self.meta), *words])


def test_over_http_it_does_what_the_suite_asks(fleet: TufFleet, web: WebShelf, tmp_path: Path) -> None:
    client = Client(tmp_path, f"{web.address}/m", f"{web.address}/t")
    assert client.init(fleet.root) == 0
    assert web.asked == []
    assert client.refresh() == 0
    names = {path.name for path in client.meta.iterdir()}
    assert {"root.json", "timestamp.json", "snapshot.json", "targets.json"} <= names
    assert client.download(DOCUMENT) == 0
    [target] = client.targets.iterdir()
    assert target.read_bytes() == b"one"
    web.asked.clear()
    assert client.download(DOCUMENT) == 0
    assert not [path for path in web.asked if path.startswith("t/")]
    fleet.add_document(DOCUMENT, b"two")
    show(web, fleet)
    assert client.download(DOCUMENT) == 0
    assert target.read_bytes() == b"two"


def test_what_goes_wrong_is_one_and_one_line(
    fleet: TufFleet, web: WebShelf, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client = Client(tmp_path, f"{web.address}/m", f"{web.address}/t")
    assert client.refresh() == 1  # nothing is trusted yet
    assert client.init(fleet.root) == 0
    assert client.download("fleet/nosuch.json") == 1
    assert client.download() == 1
    for path in [path for path in web.files if path.startswith("t/")]:
        web.files[path] = b"x" * len(web.files[path])
    assert client.download(DOCUMENT) == 1
    thief = fleet.stolen()
    thief.resign()
    show(web, thief)
    assert client.refresh() == 1
    assert Client(tmp_path, "ftp://x").refresh() == 1
    assert Client(tmp_path, "http://[bad").refresh() == 1
    assert Client(tmp_path, "mqtt://127.0.0.1:99999/edge/v1/demo/tuf").refresh() == 1
    assert Client(tmp_path, f"{web.address}/m", "http://x:abc").download(DOCUMENT) == 1
    assert client._run("init", str(tmp_path / "nosuch.json")) == 1
    assert Client(tmp_path, "mqtt://127.0.0.1:1/").refresh() == 1
    assert Client(tmp_path, "mqtt://127.0.0.1:1/edge/v1/demo/tuf").refresh() == 1
    assert Client(tmp_path, f"{web.address}/m").init(b"x" * (1 << 20)) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 13
    assert "use --target-base-url: no address of a web server: " in said.err
    assert f"read root {tmp_path / 'nosuch.json'}: No such file or directory. Give the fleet's" in said.err
    assert "models.mirror" not in said.err
    assert all(line.startswith("edge-agent: ") for line in said.err.splitlines())
    assert not [path for path in client.targets.iterdir() if path.is_file()]


@pytest.mark.mosquitto
@pytest.mark.parametrize("prefix", ["edge/v1/demo/tuf", "edge/v1/demo", "edge/v1/demo/tuf/meta", "a/b"])
def test_over_mqtt_it_does_the_same(prefix: str, fleet: TufFleet, broker: Broker, tmp_path: Path) -> None:
    shelf = Retained(broker.port, "demo")
    if prefix == "a/b":
        shelf._top = "a/b/"
    shelf.show(fleet.files())
    client = Client(tmp_path, f"mqtt://127.0.0.1:{broker.port}/{prefix}")
    assert client.init(fleet.root) == 0
    assert client.refresh() == 0
    assert client.download(DOCUMENT) == 0
    [target] = client.targets.iterdir()
    assert target.read_bytes() == b"one"
    sha256 = fleet.add_document(DOCUMENT, b"two")
    files = fleet.files() | {f"blob/{sha256}/0": b"2wo"}
    shelf.show(files)
    assert client.download(DOCUMENT) == 1, f"damaged {TRIES} times"
    assert target.read_bytes() == b"one"
    shelf.show(fleet.files())
    assert client.download(DOCUMENT) == 0
    assert target.read_bytes() == b"two"
