"""What the operator signs is taken once it is proved, in its order, and never twice with different words."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.activation.desk import Desk
from agent.documents import desired as documents
from agent.documents.desired import Desired, Wanted
from agent.documents.keys import TARGET as KEYS
from agent.documents.policy import TARGET as POLICY
from agent.slots import Kept
from agent.trust.signing import Signer, generate

PRIVATE, PUBLIC = generate()
STRANGER = Signer.from_pem(generate()[0])
SIGNER = Signer.from_pem(PRIVATE)


def keys(*pems: bytes, scope: str = "desired") -> bytes:
    known = [{"pem": pem.decode(), "scopes": [scope]} for pem in pems or (PUBLIC,)]
    return json.dumps({"v": 1, "keys": known}).encode()


def message(generation: int, model: str = "one", device: str = "device", *signers: Signer) -> bytes:
    wanted = {"door": Wanted(name=model, version="1")}
    document = Desired(fleet="fleet", device=device, generation=generation, models=wanted)
    return documents.encode(document, *signers or (SIGNER,))


def desk(**kept: bytes) -> Desk:
    return Desk("fleet", "device", Kept(documents={KEYS: keys(), **kept}))


def taken(at: Desk, payload: bytes) -> bool:
    offered = at.offer(payload)
    if offered is None:
        return False
    desired, change = offered
    assert set(change.floors.values()) == {desired.generation}
    assert change.documents == {"desired": payload}
    at.take(desired)
    return True


def test_a_desired_state_is_taken_once_and_outlives_a_restart() -> None:
    at = desk()
    payload = message(3)
    assert taken(at, payload)
    assert not taken(at, payload)
    assert at.problem == ""
    again = desk(desired=payload)
    assert again.desired == at.desired
    assert not taken(again, payload)
    assert taken(again, message(4))


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (message(2), "generation 2 is older than 3"),
        (message(3, "two"), "something else than the generation 3"),
        (message(4, device="other"), "it is for other"),
        (message(4, "one", "device", STRANGER), "not signed with the key"),
        (b"{}", "Field required"),
        (b"x" * 70_000, "70000 bytes"),
    ],
)
def test_what_is_older_forged_or_anothers_is_refused_and_told(payload: bytes, words: str) -> None:
    at = desk()
    assert taken(at, message(3))
    assert not taken(at, payload)
    assert words in at.problem
    assert at.generation == 3
    assert taken(at, message(4))
    assert at.problem == ""


def test_a_floor_outlives_the_document() -> None:
    floors = {f"desired/{SIGNER.key_id}": 7}
    at = Desk("fleet", "device", Kept(documents={KEYS: keys()}, floors=floors))
    assert not taken(at, message(6))
    assert taken(at, message(7))


def test_a_desired_state_waits_for_the_keys_that_prove_it() -> None:
    at = Desk("fleet", "device", Kept())
    assert not taken(at, message(1))
    assert not taken(at, message(2))
    assert at.waits
    assert at.brought(KEYS, keys().decode()) is not None
    waited = at.put_in_force(KEYS, keys().decode())
    assert waited == message(2)
    assert taken(at, waited or b"")
    assert not at.waits


def test_what_is_older_is_refused_while_the_newer_one_is_not_durable_yet() -> None:
    at = desk()
    assert taken(at, message(4))
    offered = at.offer(message(6))
    assert offered
    assert at.offer(message(5)) is None
    assert at.offer(message(6, "two")) is None
    at.take(offered[0])
    assert at.desired
    assert at.desired.generation == at.generation == 6


def test_a_thief_who_has_driven_generations_to_the_end_is_healed_by_another_key() -> None:
    at, last = desk(), (1 << 53) - 1
    assert taken(at, message(5, "mine"))
    assert taken(at, message(last, "thief"))
    sealed_again = message(5, "mine", "device", STRANGER, SIGNER)
    assert not taken(at, sealed_again)
    now = keys(STRANGER.public_pem())
    assert at.brought(KEYS, now.decode())
    assert taken(at, at.put_in_force(KEYS, now.decode()) or b"")
    assert at.desired
    assert at.desired.models["door"].name == "mine"
    assert at.generation == 5
    assert not taken(at, message(last, "thief"))
    assert taken(at, message(6, "next", "device", STRANGER))


def test_what_a_revoked_key_has_signed_is_in_force_no_more_also_after_a_restart() -> None:
    at, now = desk(), keys(STRANGER.public_pem())
    assert taken(at, message(5))
    at.put_in_force(KEYS, now.decode())
    assert at.desired is None
    assert "counts no more" in at.problem
    kept = Kept(documents={KEYS: now, "desired": message(5)}, floors={f"desired/{SIGNER.key_id}": 5})
    assert Desk("fleet", "device", kept).desired is None


def test_what_was_signed_again_with_the_next_key_stays_in_force_when_that_comes() -> None:
    at, now = desk(), keys(STRANGER.public_pem())
    assert taken(at, message(5))
    again = message(5, "one", "device", STRANGER, SIGNER)
    assert at.offer(again) is None
    last = at.put_in_force(KEYS, now.decode())
    assert at.desired
    assert taken(at, last or b"")  # kept from here on as the new key has signed it
    assert at.offer(again) is None


def test_a_key_that_joins_another_begins_where_that_stands() -> None:
    at, both = desk(), keys(PUBLIC, STRANGER.public_pem())
    at.put_in_force(KEYS, both.decode())
    assert taken(at, message(5))
    at.put_in_force(KEYS, keys(STRANGER.public_pem()).decode())
    assert not taken(at, message(4, "old", "device", STRANGER))


def test_a_key_that_is_none_leaves_no_key_that_counts() -> None:
    at = desk()
    body = keys(b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n").decode()
    assert at.brought(KEYS, body)
    at.put_in_force(KEYS, body)
    assert not taken(at, message(1))


def test_a_key_for_commands_signs_no_desired_state() -> None:
    at = Desk("fleet", "device", Kept(documents={KEYS: keys(scope="command")}))
    assert not taken(at, message(1))
    assert "no control key is known" in at.problem


def test_a_deleted_message_changes_nothing() -> None:
    at = desk()
    assert taken(at, message(1))
    assert not taken(at, b"")
    assert at.desired


def test_documents_come_into_force_when_they_are_durable_and_can_be_withdrawn() -> None:
    at = desk()
    body = '{"v":1,"names":["a*"]}'
    change = at.brought(POLICY, body)
    assert change
    assert change.documents == {POLICY: body.encode()}
    assert at.policy is None
    at.put_in_force(POLICY, body)
    assert at.policy
    assert at.brought(POLICY, body) is None
    assert at.brought(POLICY, "{") is None
    assert at.brought("fleet/other.json", "{}") is None
    assert at.brought(POLICY, "")
    at.put_in_force(POLICY, "")
    assert at.policy is None


@given(st.lists(st.tuples(st.integers(1, 6), st.sampled_from(["one", "two"])), max_size=12))
def test_generations_only_rise_whatever_comes(messages: list[tuple[int, str]]) -> None:
    at, seen = desk(), 0
    for generation, model in messages:
        before = at.desired
        if taken(at, message(generation, model)):
            assert generation > seen
            seen = generation
        else:
            assert at.desired == before
    assert at.generation == seen


@given(st.binary(max_size=200))
def test_no_bytes_from_outside_harm_it(payload: bytes) -> None:
    assert not taken(desk(), payload)
