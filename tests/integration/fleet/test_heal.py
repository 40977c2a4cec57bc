"""What a broker has lost is put back, and what nobody needs is taken from it; nothing else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from agent.documents.desired import Desired, Wanted
from agent.errors import AgentError
from agent.fleet.keys import make_keys
from agent.fleet.repository import desired as desired_states
from agent.fleet.repository.repository import opened
from tests.simulators.operating import ask, make_bundle
from tests.simulators.tuf_topics import put, retained

if TYPE_CHECKING:
    from pathlib import Path

    from agent.demo.broker import Broker
    from tests.simulators.edgectl import Edgectl

pytestmark = pytest.mark.mosquitto
FILES = {"m.tflite": b"0123456789" * 1000, "g.npy": b"input"}


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
    assert done["cleared"] == 4 + (2 + 1) + 3 + 1  # a manifest of more than 1024 bytes has two chunks
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


def test_revoking_tells_which_devices_shall_run_it(edgectl: Edgectl, shapes: Path) -> None:
    make_keys(edgectl.folder, ["gate", "door"])
    edgectl.local("publish", shapes, "--local")
    with opened(edgectl.folder, ask) as repository:
        control = repository.keys.control()
    for device, version in (("gate", "1.0.0"), ("door", "2.0.0")):
        models = {"camera": Wanted(name="shapes", version=version)}
        wish = Desired(fleet="default", device=device, generation=1, models=models)
        desired_states.keep(edgectl.folder, wish, control)
    (edgectl.folder / "devices/lost.desired.json").write_text("{")
    told = edgectl.local("revoke", "shapes@1.0.0", "--local")
    assert told["wanted_by"] == {"shapes@1.0.0": ["gate"]}
