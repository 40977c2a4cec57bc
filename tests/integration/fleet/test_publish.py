"""A repository on a real broker: published, healed, cleaned, and never signed in two copies at once."""

from __future__ import annotations

import re
import shutil
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from agent.demo import broker as brokers
from agent.demo.broker import Broker
from agent.errors import AgentError, ConfigInvalid, LinkLost, MessageInvalid
from agent.fleet.keys import make_keys
from agent.fleet.repository.repository import opened
from tests.simulators.edgectl import Edgectl
from tests.simulators.operating import PASSPHRASE, ask, cheap_keys, make_bundle, operator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.mosquitto
TOP = "edge/v1/default/tuf/"
FILES = {"m.tflite": b"0123456789" * 1000, "g.npy": b"input"}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("EDGECTL_PASSPHRASE", PASSPHRASE)
    with cheap_keys():
        yield


@pytest.fixture
def edgectl(tmp_path: Path, broker: Broker) -> Edgectl:
    return Edgectl(operator(tmp_path / "keys"), broker.port)


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "shapes", files=FILES, chunk=1024)


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
    assert ready.wait(10)
    try:
        yield heard
    finally:
        client.disconnect()
        client.loop_stop()


def retained(port: int) -> dict[str, bytes]:
    """What the broker retains below ``tuf/``."""
    with ear(port) as heard:
        put(port, "end", b"end", retain=False)  # comes behind all that is retained
        give_up = time.monotonic() + 10
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


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_what_is_published_a_stranger_can_prove_from_the_broker_alone(
    tmp_path: Path, broker: Broker, shapes: Path, protocol: str
) -> None:
    edgectl = Edgectl(operator(tmp_path / "keys"), broker.port, protocol)
    done = edgectl("publish", shapes)
    assert [(one["name"], one["version"], one["chunks"], one["new"]) for one in done["bundles"]] == [
        ("shapes", "1.0.0", 11, True)
    ]
    seen = edgectl("verify")
    assert seen["ok"]
    assert seen["places"]["127.0.0.1"]["bundles"].keys() == {"shapes@1.0.0"}
    assert seen["places"]["127.0.0.1"] == seen["places"]["folder"]


def test_pieces_are_sent_in_an_order_in_which_no_device_looks_for_what_is_not_there(
    edgectl: Edgectl, broker: Broker, shapes: Path
) -> None:
    with ear(broker.port) as heard:
        edgectl("publish", shapes)
        edgectl("publish", make_bundle(shapes.parent / "b", "2.0.0", {"m.tflite": b"x", "g.npy": b"y"}))
        time.sleep(0.3)
    kinds = [
        re.sub(r"^meta/\d+\.(?!snapshot).*", "meta", re.sub(r"^blob/.*|\d+\.", "", path)) for path, _ in heard
    ]
    order = [kind for at, kind in enumerate(kinds) if at == 0 or kinds[at - 1] != kind]
    wanted = ["", "meta/root.json", "meta/models.json", "meta/fleet.json", "meta/targets.json"]
    assert order[: len(wanted)] == wanted
    assert order[-3:] == ["meta/snapshot.json", "meta/timestamp.json", "hint"]
    second = order[order.index("hint") + 1 :]
    assert second == ["", "meta/models.json", "meta/snapshot.json", "meta/timestamp.json", "hint"]


def test_a_broker_that_was_emptied_is_healed_and_then_nothing_is_sent(
    edgectl: Edgectl, broker: Broker, shapes: Path, tmp_path: Path
) -> None:
    edgectl("publish", shapes)
    before = retained(broker.port)
    broker.cut()
    for left in (tmp_path / "broker").glob("*.db*"):
        left.unlink()
    broker.restore()
    assert retained(broker.port) == {}
    assert set(edgectl("heal")["paths"]) == before.keys()
    assert retained(broker.port) == before
    assert edgectl("heal") == {
        "looked": len(before),
        "sent": {"pieces": 0, "bytes": 0},
        "paths": [],
        "desired": [],
    }


def test_what_is_missing_or_different_is_put_back_and_nothing_else(
    edgectl: Edgectl, broker: Broker, shapes: Path
) -> None:
    edgectl("publish", shapes)
    before = retained(broker.port)
    chunks = sorted(path for path in before if re.fullmatch(r"blob/\w+/[3-7]", path))
    put(broker.port, chunks[0], b"")
    put(broker.port, chunks[1], b"changed")
    put(broker.port, chunks[2], b"x" * 5000)
    put(broker.port, "meta/1.root.json", b"{}")
    put(broker.port, "hint", b"x" * 9000)
    done = edgectl("heal")
    assert set(done["paths"]) == {*chunks[:3], "meta/1.root.json", "hint"}
    assert retained(broker.port) == before


def test_what_was_signed_without_the_broker_is_sent_later(
    edgectl: Edgectl, broker: Broker, shapes: Path
) -> None:
    assert edgectl.local("publish", shapes, "--local")["sent"] is None
    assert retained(broker.port) == {}
    edgectl("publish", make_bundle(shapes.parent / "b", "2.0.0"))
    assert edgectl("verify")["places"]["127.0.0.1"]["bundles"].keys() == {"shapes@1.0.0", "shapes@2.0.0"}


def test_a_revoked_bundle_goes_with_gc_and_what_others_need_stays(
    edgectl: Edgectl, broker: Broker, shapes: Path
) -> None:
    shared = make_bundle(shapes.parent / "b", "2.0.0", {**FILES, "extra.txt": b"e"}, chunk=1024)
    alone = make_bundle(shapes.parent / "c", "3.0.0", {"other.tflite": b"z" * 3000, "g": b"q"}, chunk=1024)
    edgectl("publish", shapes, shared, alone)
    edgectl("revoke", "shapes@1.0.0", "shapes@3.0.0")
    before = retained(broker.port)
    done = edgectl("gc")
    after = retained(broker.port)
    assert (done["metadata"], done["files"]) == (4, 4)  # two versions; two manifests and two files
    assert done["cleared"] == 4 + 2 + 3 + 1
    assert len(before) - len(after) == done["cleared"] - 2  # the first version was never sent
    assert edgectl("verify")["places"]["127.0.0.1"]["bundles"].keys() == {"shapes@2.0.0"}
    assert edgectl("gc") == {"metadata": 0, "files": 0, "cleared": 0}
    assert edgectl("heal")["paths"] == []


def test_gc_takes_nothing_from_a_broker_that_lacks_what_was_published_last(
    edgectl: Edgectl, shapes: Path
) -> None:
    edgectl("publish", shapes)
    edgectl.local("revoke", "shapes@1.0.0", "--local")
    with pytest.raises(AgentError, match=r"does not have what was published last. Run first: edgectl heal"):
        edgectl("gc")


def test_a_copy_of_the_folder_that_is_behind_signs_nothing_and_can_take_over_what_is_published(
    edgectl: Edgectl, broker: Broker, shapes: Path, tmp_path: Path
) -> None:
    old = Edgectl(shutil.copytree(edgectl.folder, tmp_path / "backup"), broker.port)
    edgectl("publish", shapes)
    edgectl("rotate", "fleet")
    before = {path: path.read_bytes() for path in old.folder.rglob("*") if path.is_file()}
    for words in (("resign",), ("publish", make_bundle(tmp_path / "b", "2.0.0")), ("heal",)):
        with pytest.raises(ConfigInvalid, match="another copy of it has signed timestamp 3 and published it"):
            old(*words)
    assert {path: path.read_bytes() for path in old.folder.rglob("*") if path.is_file()} == before
    assert old("heal", "--from-broker")["bundles"] == ["shapes@1.0.0"]
    assert old("verify")["places"]["folder"]["bundles"].keys() == {"shapes@1.0.0"}
    old("publish", make_bundle(tmp_path / "c", "3.0.0"))
    assert old("verify")["ok"]
    with pytest.raises(ConfigInvalid, match="the keys here are not those that the metadata names for fleet"):
        old.local("resign", "--role", "fleet", "--local")


def test_a_copy_takes_over_what_a_timer_has_signed_elsewhere(
    edgectl: Edgectl, broker: Broker, shapes: Path, tmp_path: Path
) -> None:
    edgectl("publish", shapes)
    timer = Edgectl(shutil.copytree(edgectl.folder, tmp_path / "timer"), broker.port)
    for name in ("models", "fleet", "targets", "root-1", "root-2", "root-3", "control"):
        (timer.folder / f"keys/{name}.key").unlink()
    with opened(timer.folder, ask) as repository:
        repository.renew("snapshot")
        repository.commit()
    timer("heal")
    timer("resign")
    edgectl("publish", make_bundle(tmp_path / "b", "2.0.0"))
    seen = edgectl("verify")
    assert seen["ok"]
    assert seen["places"]["folder"]["versions"]["timestamp"] == 5
    with pytest.raises(ConfigInvalid, match="edgectl heal --from-broker"):
        timer("resign")
    timer("heal", "--from-broker")
    timer("resign")


def test_a_copy_that_does_not_know_the_newest_root_signs_nothing(
    edgectl: Edgectl, broker: Broker, tmp_path: Path
) -> None:
    edgectl("resign")
    old = Edgectl(shutil.copytree(edgectl.folder, tmp_path / "backup"), broker.port)
    edgectl("rotate", "online")
    with pytest.raises(ConfigInvalid, match=r"another copy of it has signed 2.root.json"):
        old("resign")


def test_a_timestamp_that_we_have_not_signed_stops_nobody(
    edgectl: Edgectl, broker: Broker, shapes: Path
) -> None:
    edgectl("publish", shapes)
    ours = retained(broker.port)["meta/timestamp.json"]
    for forged in (ours.replace(b'"version":2', b'"version":9'), b"\xff" * 99, b"[" * 9000, b"{}"):
        put(broker.port, "meta/timestamp.json", forged)
        edgectl("resign")
        assert edgectl("verify")["ok"]


def test_a_chunk_that_the_broker_would_not_take_is_refused_before_anything_is_signed_or_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brokers, "_CONFIG", brokers._CONFIG + "max_packet_size 50000\n")
    broker = Broker(tmp_path / "small", kind="mosquitto")
    broker.start()
    try:
        edgectl = Edgectl(operator(tmp_path / "keys"), broker.port, "5")
        large = make_bundle(tmp_path / "b", files={"m.tflite": b"m" * 60_000, "g.npy": b"y"})
        with pytest.raises(MessageInvalid, match=r"the broker takes 50000. Pack it with a smaller --chunk"):
            edgectl("publish", large)
        assert retained(broker.port) == {}
        with opened(edgectl.folder, ask) as repository:
            assert repository.bundles() == {}
        small = make_bundle(tmp_path / "c", files={"m.tflite": b"m" * 60_000, "g.npy": b"y"}, chunk=40_000)
        edgectl("publish", small)
    finally:
        broker.stop()


def test_a_broker_that_dies_in_the_middle_of_it_gets_the_rest_when_it_is_back(
    edgectl: Edgectl, broker: Broker, tmp_path: Path
) -> None:
    files = {"m.tflite": bytes(range(256)) * 40_000, "g.npy": b"y"}
    large = make_bundle(tmp_path / "b", files=files, chunk=4096)

    ends: list[BaseException | None] = []

    def publish() -> None:
        try:
            edgectl("publish", large)
            ends.append(None)
        except LinkLost as error:  # it was the reader's connection, which does not come back
            ends.append(error)

    publisher = threading.Thread(target=publish)  # the broker dies with the thread that starts it
    publisher.start()
    for _ in range(2):
        time.sleep(0.4)
        broker.cut()
        time.sleep(0.4)  # it still holds its port
        broker.restore()
    publisher.join()
    assert len(ends) == 1
    edgectl("heal")  # what was confirmed, a broker that is killed forgets all the same
    assert edgectl("verify")["ok"]


def test_a_broker_that_is_away_is_told_and_nothing_is_signed(edgectl: Edgectl, broker: Broker) -> None:
    broker.stop()
    before = (edgectl.folder / "tuf/meta/timestamp.json").read_bytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("agent.fleet.repository.wire._CONNECT_S", 1.0)
        with pytest.raises(LinkLost, match="Check --host and --port, and that the broker runs"):
            edgectl("resign")
    assert (edgectl.folder / "tuf/meta/timestamp.json").read_bytes() == before


def test_desired_states_are_signed_anew_with_the_control_key_and_put_back_when_the_broker_lost_them(
    edgectl: Edgectl, broker: Broker
) -> None:
    from agent.documents import desired, keys

    make_keys(edgectl.folder, ["gate"])
    topic = "edge/v1/default/d/gate/down/desired"
    with opened(edgectl.folder, ask) as repository:
        state = desired.Desired(fleet="default", device="gate", generation=3, models={})
        (edgectl.folder / "devices/gate.desired.json").write_bytes(
            desired.encode(state, repository.keys.control())
        )
    assert edgectl("heal")["desired"] == ["gate"]
    assert edgectl("heal")["desired"] == []
    put(broker.port, topic, b"")
    assert edgectl("heal")["desired"] == ["gate"]
    assert edgectl("rotate", "fleet")["desired"] == ["gate"]
    assert edgectl("heal")["desired"] == []
    with opened(edgectl.folder, ask) as repository:
        document = keys.decode(repository.document("fleet/keys.json") or b"")
        content = (edgectl.folder / "devices/gate.desired.json").read_bytes()
        found = desired.decode(content, document.verifiers("desired"), fleet="default", device="gate")
        assert found == state
        newer = desired.encode(state.model_copy(update={"generation": 4}), repository.keys.control())
    put(broker.port, topic, newer)
    assert edgectl("heal")["desired"] == []
