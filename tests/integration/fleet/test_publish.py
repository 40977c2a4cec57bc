"""A repository on a real broker: published, healed, cleaned, and never signed in two copies at once."""

from __future__ import annotations

import re
import shutil
import threading
import time
from typing import TYPE_CHECKING

import pytest

from agent.demo import broker as brokers
from agent.demo.broker import Broker
from agent.errors import AgentError, ConfigInvalid, LinkLost, MessageInvalid
from agent.fleet.repository.repository import opened
from tests.simulators.edgectl import Edgectl
from tests.simulators.field import until
from tests.simulators.operating import ask, make_bundle, operator
from tests.simulators.tuf_topics import ear, put, retained

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.mosquitto, pytest.mark.usefixtures("quick_keys")]


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
        until(lambda: [path for path, _ in heard].count("hint") == 2, "the second hint is heard")
    kinds = [
        re.sub(r"^meta/\d+\.(?!snapshot).*", "meta", re.sub(r"^blob/.*|\d+\.", "", path)) for path, _ in heard
    ]
    order = [kind for at, kind in enumerate(kinds) if at == 0 or kinds[at - 1] != kind]
    wanted = ["", "meta/root.json", "meta/models.json", "meta/fleet.json", "meta/targets.json"]
    assert order[: len(wanted)] == wanted
    assert order[-3:] == ["meta/snapshot.json", "meta/timestamp.json", "hint"]
    second = order[order.index("hint") + 1 :]
    assert second == ["", "meta/models.json", "meta/snapshot.json", "meta/timestamp.json", "hint"]


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
        (timer.folder / f"{name}.key").unlink()
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


def test_metadata_that_the_broker_would_not_take_never_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brokers, "_CONFIG", brokers._CONFIG + "max_packet_size 4000\n")
    broker = Broker(tmp_path / "small", kind="mosquitto")
    broker.start()
    try:
        edgectl = Edgectl(operator(tmp_path / "plant"), broker.port, "5")
        many = [make_bundle(tmp_path / f"b{number}", f"1.{number}") for number in range(30)]
        with pytest.raises(MessageInvalid, match=r"2.models.json: .* the broker takes 4000. Revoke what"):
            edgectl("publish", *many)
        assert not (edgectl.folder / "tuf/meta/2.models.json").exists()
        assert edgectl("publish", many[0])["sent"]["pieces"] > 0
    finally:
        broker.stop()


def test_a_broker_that_confirms_and_drops_what_is_not_allowed_is_seen_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = "topic read edge/v1/default/tuf/#\ntopic readwrite edge/v1/default/d/+/echo/+\n"
    (tmp_path / "acl").write_text(rules)
    monkeypatch.setattr(brokers, "_CONFIG", brokers._CONFIG + f"acl_file {tmp_path / 'acl'}\n")
    monkeypatch.setattr("agent.fleet.repository.publisher._HELD_S", 0.5)
    broker = Broker(tmp_path / "deaf", kind="mosquitto")
    broker.start()
    try:
        operator(tmp_path / "keys")
        with pytest.raises(AgentError, match=r"has confirmed it, and does not hold it. See its access list"):
            Edgectl(tmp_path / "keys", broker.port, "3.1.1")("resign")
        with pytest.raises(AgentError, match=r"the broker says: not authorized\. Check"):
            Edgectl(tmp_path / "keys", broker.port, "5")("resign")
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
        patch.setattr("agent.fleet.talk._CONNECT_S", 1.0)
        with pytest.raises(LinkLost, match="Check that a broker listens on port"):
            edgectl("resign")
    assert (edgectl.folder / "tuf/meta/timestamp.json").read_bytes() == before
