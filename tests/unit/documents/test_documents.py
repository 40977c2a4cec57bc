"""Documents between operator and device: read as they were written, refused where they are not sound."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.documents import desired, keys, policy, reported
from agent.documents.desired import Desired, Probation, Wanted
from agent.documents.keys import ControlKey, ControlKeys
from agent.documents.reported import AuditHead, Metadata, Reported, Serving, Standing
from agent.errors import MessageInvalid, NotSigned, WrongSender
from agent.trust import dsse
from agent.trust.signing import Signer, Verifier, generate

if TYPE_CHECKING:
    from collections.abc import Callable

PRIVATE, PUBLIC = generate()
SIGNER, VERIFIER = Signer.from_pem(PRIVATE), Verifier.from_pem(PUBLIC)
STRANGER = Verifier.from_pem(generate()[1])

PLACES = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,20}", fullmatch=True)
COUNTS = st.integers(0, (1 << 53) - 1)
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
DIGESTS = st.sampled_from(["", "0" * 64, "0123456789abcdef" * 4])
WANTED = st.builds(
    Wanted,
    name=st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True),
    version=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,12}", fullmatch=True),
)
SERVING = st.builds(Serving, name=WORDS, version=WORDS, bundle=DIGESTS)
PROBATION = st.builds(
    Probation,
    frames=st.integers(1, 1_000_000),
    seconds=st.floats(0, 7 * 86400),
    failed=st.floats(0, 1),
    slower=st.floats(1, 100),
)
DESIRED = st.builds(
    Desired,
    fleet=PLACES,
    device=PLACES,
    generation=st.integers(1, (1 << 53) - 1),
    models=st.dictionaries(PLACES, WANTED, max_size=4),
    probation=PROBATION,
    deadline_s=st.floats(1e-3, 365 * 86400),
    issued=COUNTS,
)
STANDING = st.builds(
    Standing,
    state=st.sampled_from(["idle", "downloading", "probation", "active", "rejected", "rolled_back"]),
    serving=st.none() | SERVING,
    wanted=st.none() | WANTED,
    previous=st.none() | SERVING,
    generation=COUNTS,
    reason=WORDS,
    strikes=st.integers(0, 1000),
    progress=st.none() | st.tuples(COUNTS, COUNTS),
    overdue=st.booleans(),
)
REPORTED = st.builds(
    Reported,
    fleet=PLACES,
    device=PLACES,
    generation=st.integers(0, 1 << 52),
    at=COUNTS,
    synced=st.none() | st.booleans(),
    pipelines=st.dictionaries(PLACES, STANDING, max_size=3),
    metadata=st.builds(Metadata, root=COUNTS, timestamp=COUNTS, expires=COUNTS, problem=WORDS),
    audit=st.builds(AuditHead, seq=COUNTS, head=DIGESTS),
    problem=WORDS,
    agent=WORDS,
    arch=WORDS,
)
WISH = Desired(fleet="f", device="d", generation=1, models={"door": Wanted(name="m", version="1")})
REPORT = Reported(fleet="f", device="d", generation=1, at=0, pipelines={"door": Standing(state="idle")})


@given(DESIRED)
def test_a_desired_state_comes_back_as_it_was(wish: Desired) -> None:
    payload = desired.encode(wish, SIGNER)
    assert len(payload) <= desired.MAX_BYTES
    assert desired.decode(payload, [STRANGER, VERIFIER], fleet=wish.fleet, device=wish.device) == wish


@given(REPORTED)
def test_a_reported_state_comes_back_as_it_was(found: Reported) -> None:
    payload = reported.encode(found, SIGNER)
    assert reported.decode(payload, VERIFIER, fleet=found.fleet, device=found.device) == found
    assert reported.decode(payload, None, fleet=found.fleet, device=found.device) == found


def test_a_full_reported_state_fits_what_is_read() -> None:
    one = Serving(name="n" * 64, version="v" * 32, bundle="0" * 64)
    full = Standing(
        state="rolled_back",
        serving=one,
        previous=one,
        wanted=Wanted(name="n" * 64, version="v" * 32),
        generation=(1 << 53) - 1,
        reason="r" * 500,
        progress=(1 << 52, 1 << 52),
    )
    pipelines = {f"{number:063}": full for number in range(64)}
    found = REPORT.model_copy(update={"pipelines": pipelines, "problem": "p" * 500})
    assert reported.decode(reported.encode(found, SIGNER), VERIFIER, fleet="f", device="d") == found


def test_a_full_desired_state_fits_what_is_read() -> None:
    models = {f"{number:063}": Wanted(name="n" * 64, version="v" * 32) for number in range(64)}
    wish = WISH.model_copy(update={"models": models})
    assert desired.decode(desired.encode(wish, *[SIGNER] * 4), [VERIFIER], fleet="f", device="d") == wish


def test_what_the_key_did_not_sign_is_refused() -> None:
    for signers in ((), (Signer.from_pem(generate()[0]),)):
        with pytest.raises(NotSigned):
            desired.decode(desired.encode(WISH, *signers), [VERIFIER], fleet="f", device="d")
    with pytest.raises(NotSigned):
        desired.decode(desired.encode(WISH, SIGNER), [], fleet="f", device="d")
    with pytest.raises(NotSigned):
        reported.decode(reported.encode(REPORT, None), VERIFIER, fleet="f", device="d")


@pytest.mark.parametrize(("fleet", "device"), [("f", "other"), ("other", "d")])
def test_what_is_for_another_is_refused_although_it_is_signed(fleet: str, device: str) -> None:
    with pytest.raises(WrongSender, match="it is for d of f"):
        desired.decode(desired.encode(WISH, SIGNER), [VERIFIER], fleet=fleet, device=device)
    with pytest.raises(WrongSender, match="it is of d of f"):
        reported.decode(reported.encode(REPORT, SIGNER), VERIFIER, fleet=fleet, device=device)


def test_one_kind_of_document_does_not_pass_for_another() -> None:
    with pytest.raises(MessageInvalid, match="it is no desired state"):
        desired.decode(reported.encode(REPORT, SIGNER), [VERIFIER], fleet="f", device="d")
    with pytest.raises(MessageInvalid, match="it is no reported state"):
        reported.decode(desired.encode(WISH, SIGNER), VERIFIER, fleet="f", device="d")


@pytest.mark.parametrize(
    "change",
    [
        {"generation": 0},
        {"generation": 1.0},
        {"generation": "1"},
        {"generation": 1 << 53},
        {"generation": True},
        {"v": 2},
        {"unknown": 1},
        {"device": "Not/Allowed"},
        {"device": "d\n"},
        {"models": {"a/b": {"name": "m", "version": "1"}}},
        {"models": {"door": {"name": "m", "version": "../1"}}},
        {"models": {"door": {"name": "m", "version": "1", "more": 1}}},
        {"models": {f"p{number}": {"name": "m", "version": "1"} for number in range(65)}},
        {"probation": {"frames": 0}},
        {"probation": {"seconds": float("nan")}},
        {"probation": {"slower": 0.5}},
        {"deadline_s": 0},
        {"deadline_s": float("nan")},
        {"deadline_s": float("inf")},
        {"issued": -1},
    ],
)
def test_a_signed_desired_state_that_is_not_sound_is_refused_in_a_line(change: dict[str, Any]) -> None:
    body = {**WISH.model_dump(mode="json"), **change}
    payload = dsse.seal(desired.KIND, json.dumps(body).encode(), SIGNER)
    with pytest.raises(MessageInvalid) as caught:
        desired.decode(payload, [VERIFIER], fleet="f", device="d")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("decode", [keys.decode, policy.decode])
def test_a_document_that_does_not_say_its_version_is_refused(decode: Callable[[bytes], object]) -> None:
    decode(b'{"v":1}')
    with pytest.raises(MessageInvalid, match="version"):
        decode(b"{}")


@given(st.binary(max_size=400))
@example(b"{}")
def test_signed_bytes_that_are_no_document_are_refused(junk: bytes) -> None:
    with pytest.raises(MessageInvalid):
        desired.decode(dsse.seal(desired.KIND, junk, SIGNER), [VERIFIER], fleet="f", device="d")
    with pytest.raises(MessageInvalid):
        reported.decode(dsse.seal(reported.KIND, junk, SIGNER), VERIFIER, fleet="f", device="d")
    for decode in (keys.decode, policy.decode):
        with pytest.raises(MessageInvalid):
            decode(junk)


@pytest.mark.parametrize("depth", [10, 100, 5000])
def test_what_is_nested_deeply_is_refused(depth: int) -> None:
    junk = b'{"a":' * depth + b"1" + b"}" * depth
    with pytest.raises(MessageInvalid):
        desired.decode(dsse.seal(desired.KIND, junk, SIGNER), [VERIFIER], fleet="f", device="d")


def test_control_keys_count_in_their_scope_alone() -> None:
    other = generate()[1]
    document = ControlKeys(
        keys=(
            ControlKey(pem=PUBLIC.decode(), scopes=("desired",)),
            ControlKey(pem=other.decode(), scopes=("command", "desired")),
        )
    )
    found = keys.decode(document.model_dump_json().encode())
    assert found == document
    known = [VERIFIER.key_id, Verifier.from_pem(other).key_id]
    assert [one.key_id for one in found.verifiers("desired")] == known
    assert [one.key_id for one in found.verifiers("command")] == known[1:]


def test_a_control_key_that_is_none_is_refused_when_it_is_wanted() -> None:
    document = ControlKeys(keys=(ControlKey(pem="no key", scopes=("command",)),))
    assert document.verifiers("desired") == []
    with pytest.raises(MessageInvalid, match="it is no public key in PEM format"):
        document.verifiers("command")


@pytest.mark.parametrize(
    "body", [{"keys": [{"pem": "x", "scopes": []}]}, {"keys": [{"pem": "x", "scopes": ["root"]}]}, {"v": 2}]
)
def test_control_keys_that_are_not_sound_are_refused(body: dict[str, Any]) -> None:
    with pytest.raises(MessageInvalid):
        keys.decode(json.dumps(body).encode())
