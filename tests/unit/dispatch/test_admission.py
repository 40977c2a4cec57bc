"""A command is taken when it is proved, for us, in time, new, and allowed; each refusal has its reason."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.dispatch import admission
from agent.dispatch.admission import AHEAD_S, Proved, Refused, Terms, floor_name
from agent.documents import command as documents
from agent.documents.keys import decode as read_keys
from agent.trust import dsse
from agent.trust.signing import Verifier
from tests.simulators.commander import Key, keys_document, order, signed

if TYPE_CHECKING:
    from typing import Any

NOW = 1_800_000_000
ALL, PINGS, DESIRED, STRANGER = Key("command"), Key("command.ping"), Key("desired"), Key("command")
KEYS = read_keys(keys_document(ALL, PINGS, DESIRED))
TERMS = Terms(
    fleet="default",
    audiences=frozenset({"d/device", "g/gates", "all"}),
    verifiers=[Verifier.from_pem(one.pem.encode()) for one in KEYS.keys],
    may=KEYS.may,
    wall_s=NOW,
    floor_s=NOW - 1000,
)


def decide(payload: bytes, terms: Terms = TERMS) -> Proved | Refused:
    found = admission.read(payload, terms)
    if isinstance(found, Proved) and found.key:
        return admission.judge(found, terms) or found
    return found


def restart(op: str = "restart", **changes: Any) -> documents.Command:
    times: dict[str, Any] = {"issued": NOW, "expires": NOW + 60, "args": {"pipeline": "door"}}
    return order(op, **(times | changes))


def refusal(payload: bytes, terms: Terms = TERMS) -> str:
    found = decide(payload, terms)
    assert isinstance(found, Refused), found
    return found.refusal


@pytest.mark.parametrize("audience", ["d/device", "g/gates", "all"])
def test_one_that_is_in_order_is_taken_whichever_audience_of_ours_it_names(audience: str) -> None:
    command = restart(audience=audience)
    assert decide(signed(command, ALL)) == Proved(command, ALL.signer.key_id)


@pytest.mark.parametrize("audience", ["d/other", "g/doors"])
def test_one_for_others_is_refused_and_its_sender_is_told(audience: str) -> None:
    command = restart(audience=audience)
    found = decide(signed(command, ALL))
    assert isinstance(found, Refused)
    assert (found.refusal, found.command) == ("audience", command)


def test_one_of_another_fleet_is_refused_without_an_answer() -> None:
    found = decide(signed(restart(fleet="south"), ALL))
    assert isinstance(found, Refused)
    assert (found.refusal, found.command) == ("audience", None)


@pytest.mark.parametrize("keys", [(STRANGER,), ()])
def test_one_that_no_known_key_has_signed_is_refused_and_gets_no_answer(keys: tuple[Key, ...]) -> None:
    found = decide(signed(restart(), *keys))
    assert isinstance(found, Refused)
    assert (found.refusal, found.command) == ("signature", None)


def test_without_any_key_the_reason_says_what_to_do() -> None:
    found = decide(signed(restart(), ALL), Terms(fleet="default", audiences=TERMS.audiences, wall_s=NOW))
    assert isinstance(found, Refused)
    assert "edgectl publish" in found.reason


def test_a_key_signs_what_its_scopes_name_and_nothing_else() -> None:
    ping = order("ping", issued=NOW, expires=NOW + 60)
    assert decide(signed(ping, PINGS)) == Proved(ping, PINGS.signer.key_id)
    assert refusal(signed(restart(), PINGS)) == "scope"
    assert refusal(signed(restart(), DESIRED)) == "scope"


def test_more_bytes_than_a_command_has_are_refused_before_anything_reads_them() -> None:
    assert refusal(b"{" * (documents.MAX_BYTES + 1)) == "format"


@pytest.mark.parametrize(
    "changes",
    [{"args": {}}, {"args": {"pipeline": "door", "more": 1}}, {"issued": NOW + 60, "expires": NOW + 60}],
)
def test_arguments_and_times_that_make_no_sense_are_refused(changes: dict[str, Any]) -> None:
    assert refusal(signed(restart(**changes), ALL)) == "format"


NOBODYS = [str(1 << 64), str(-(1 << 63) - 1), "1e999", "NaN", "[" * 60 + "]" * 60]


@pytest.mark.parametrize("value", NOBODYS)
def test_values_that_no_reader_of_json_need_hold_are_refused_with_and_without_a_signature(value: str) -> None:
    text = restart("ping", args={}).model_dump_json().replace('"args":{}', f'"args":{{"a":{value}}}')
    assert value in text
    assert refusal(dsse.seal(documents.KIND, text.encode())) == "signature"
    assert refusal(dsse.seal(documents.KIND, text.encode(), ALL.signer)) == "format"


def test_what_this_release_does_not_know_is_refused_as_unknown() -> None:
    assert refusal(signed(restart("fly"), ALL)) == "unknown"


@pytest.mark.parametrize(
    ("allow", "deny", "taken"),
    [(("*",), (), True), (("restart",), (), True), (("rollback",), (), False), (("*",), ("restart",), False)],
)
def test_the_devices_own_configuration_has_the_last_word(
    allow: tuple[str, ...], deny: tuple[str, ...], *, taken: bool
) -> None:
    terms = replace(TERMS, allow=allow, deny=deny)
    assert isinstance(decide(signed(restart(), ALL), terms), Proved) is taken
    ping = signed(order("ping", issued=NOW, expires=NOW + 60), ALL)
    assert isinstance(decide(ping, replace(terms, deny=("ping",))), Proved)


def test_one_that_is_valid_for_longer_than_the_device_allows_is_refused() -> None:
    terms = replace(TERMS, expire_s=59)
    assert refusal(signed(restart(), ALL), terms) == "local"
    assert isinstance(decide(signed(restart(expires=NOW + 59), ALL), terms), Proved)


def test_time_is_the_wall_clock_or_the_floor_where_that_is_behind() -> None:
    late = signed(restart(issued=NOW - 60, expires=NOW), ALL)
    assert refusal(late) == "expired"
    unset = replace(TERMS, wall_s=0, floor_s=NOW)
    assert refusal(late, unset) == "expired"
    assert isinstance(decide(late, replace(unset, floor_s=NOW - 1)), Proved)


def test_one_from_the_future_is_refused_where_the_clock_was_set_and_the_time_is_told() -> None:
    ahead: dict[str, Any] = {"issued": NOW + AHEAD_S + 1, "expires": NOW + AHEAD_S + 60}
    found = decide(signed(restart(**ahead), ALL))
    assert isinstance(found, Refused)
    assert found.refusal == "clock"
    assert str(NOW) in found.reason
    assert isinstance(decide(signed(restart(issued=NOW + AHEAD_S, expires=NOW + 900), ALL)), Proved)
    assert isinstance(decide(signed(restart(**ahead), ALL), replace(TERMS, wall_s=0)), Proved)


def test_with_expired_metadata_nothing_but_a_way_back_is_taken() -> None:
    stale = replace(TERMS, fresh=False)
    assert refusal(signed(restart(), ALL), stale) == "expired"
    assert isinstance(decide(signed(restart("rollback"), ALL), stale), Proved)


@given(st.integers(1, 1 << 40), st.integers(0, 1 << 40))
def test_a_counter_must_be_above_all_that_its_key_has_used_for_its_audience(counter: int, floor: int) -> None:
    floors = {
        floor_name(ALL.signer.key_id, "d/device"): floor,
        floor_name(ALL.signer.key_id, "all"): 1 << 41,
        floor_name(PINGS.signer.key_id, "d/device"): 1 << 41,
    }
    found = decide(signed(restart(counter=counter), ALL), replace(TERMS, floors=floors))
    if counter > floor:
        assert isinstance(found, Proved)
    else:
        assert isinstance(found, Refused)
        assert found.refusal == "replayed"


@pytest.mark.parametrize("op", ["ping", "status"])
def test_ping_and_status_may_come_bare_while_they_last(op: str) -> None:
    command = order(op, issued=NOW, expires=NOW + 60)
    assert decide(signed(command)) == Proved(command, "")
    assert decide(signed(command, STRANGER)) == Proved(command, "")
    assert decide(signed(command, DESIRED)) == Proved(command, "")
    assert refusal(signed(order(op, issued=NOW - 60, expires=NOW))) == "signature"
    assert refusal(signed(order(op, audience="d/other"))) == "signature"


@given(st.binary(max_size=300))
def test_whatever_bytes_come_are_refused_without_an_answer(payload: bytes) -> None:
    found = decide(payload)
    assert isinstance(found, Refused)
    assert found.command is None
