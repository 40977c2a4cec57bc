"""The operator's small documents: proved, bounded, read once, and told as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.processes.ipc import MAX_PACKET
from agent.updater.messages import Brought, Held, Withdrawn
from tests.simulators.tuf_fleet import TufFleet

if TYPE_CHECKING:
    from tests.simulators.updated import Updated

KEYS, POLICY = "fleet/keys.json", "fleet/policy.json"


@pytest.fixture
def fleet() -> TufFleet:
    return TufFleet()


def told(device: Updated, fleet: TufFleet, policy: str = "") -> dict[str, str]:
    device.shelf.files = fleet.files()
    device.run(policy=policy)
    return {one.name: one.body for one in device.of(Brought)}


def test_documents_are_told_as_they_are_and_when_they_are_withdrawn(fleet: TufFleet, device: Updated) -> None:
    assert told(device, fleet) == {KEYS: "", POLICY: ""}
    fleet.add_document(KEYS, b'{"v": 1, "keys": []}')
    fleet.add_document(POLICY, b'{"v": 1,\n "names": ["det*"]}')
    assert told(device, fleet) == {KEYS: '{"v": 1, "keys": []}', POLICY: '{"v": 1,\n "names": ["det*"]}'}
    fleet.revoke(POLICY)
    assert told(device, fleet)[POLICY] == ""


def test_bundles_that_serve_and_that_nobody_vouches_for_are_told(fleet: TufFleet, device: Updated) -> None:
    digest = fleet.add_bundle("det", "1.0.0", {"m.tflite": b"model"})
    held = Held(name="det", version="1.0.0", digest=digest)
    device.see(fleet)
    device.run(serving=(held,))
    assert [one.digests for one in device.of(Withdrawn)] == [()]
    other = held.model_copy(update={"digest": "0" * 64})
    device.run(serving=(held, other))
    assert [one.digests for one in device.of(Withdrawn)] == [("0" * 64,)]
    fleet.revoke("models/det/1.0.0/manifest.json")
    device.see(fleet)
    device.run(serving=(held,))
    assert [one.digests for one in device.of(Withdrawn)] == [(digest,)]


def test_a_policy_that_is_known_already_is_not_fetched_again(fleet: TufFleet, device: Updated) -> None:
    sha256 = fleet.add_document(POLICY, b'{"v":1}')
    assert told(device, fleet, policy='{"v":1}')[POLICY] == '{"v":1}'
    assert f"blob/{sha256}/0" not in device.shelf.asked


def test_keys_do_not_wait_for_a_policy_that_does_not_come(fleet: TufFleet, device: Updated) -> None:
    fleet.add_document(KEYS, b'{"v":1,"keys":[]}')
    sha256 = fleet.add_document(POLICY, b'{"v":1}')
    del fleet.blobs[sha256]
    assert told(device, fleet) == {KEYS: '{"v":1,"keys":[]}'}
    assert device.failure.error == "Absent"


@pytest.mark.parametrize("path", [KEYS, POLICY])
@pytest.mark.parametrize(
    ("document", "error"),
    [
        (b'{"v":1}' + b" " * (32 << 10), "FetchFailed"),
        (b"", "MessageInvalid"),
        (b"\xff", "MessageInvalid"),
        (b'{"v":2}', "MessageInvalid"),
        (b'{"v":1,"surprise":1}', "MessageInvalid"),
        (b"[]", "MessageInvalid"),
    ],
)
def test_a_document_that_is_too_large_or_none_is_refused(
    path: str, document: bytes, error: str, fleet: TufFleet, device: Updated
) -> None:
    fleet.add_document(path, document)
    told(device, fleet)
    assert (device.failure.error, device.failure.name) == (error, "")


def test_a_document_that_fits_no_packet_is_refused_and_ends_nothing(fleet: TufFleet, device: Updated) -> None:
    fleet.add_document(KEYS, b'{"v":1}' + b"\n" * ((32 << 10) - 7))
    assert len(Brought(name=KEYS, body="\n" * (32 << 10)).model_dump_json()) > MAX_PACKET
    told(device, fleet)
    assert device.failure.error == "MessageInvalid"
