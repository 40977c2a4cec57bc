"""Each device hears a command by one audience, and all that are meant do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.fleet.commanding.commander import audiences_of
from agent.fleet.inventory import Entry

GROUPS = ("x", "y", "z")


@given(
    st.lists(st.sets(st.sampled_from(GROUPS)), max_size=6),
    st.lists(st.sampled_from(GROUPS), max_size=4),
    st.sets(st.integers(0, 5)),
)
def test_nobody_hears_it_twice_and_nobody_who_is_meant_is_left_out(
    members: list[set[str]], groups: list[str], named: set[int]
) -> None:
    fleet = [Entry(name=f"d{n}", groups=tuple(sorted(those))) for n, those in enumerate(members)]
    meant = [one for n, one in enumerate(fleet) if n in named or set(one.groups) & set(groups)]
    found = audiences_of(meant, groups)
    sent = set(found.values())
    for one in fleet:
        hears = sent & {f"d/{one.name}", *(f"g/{group}" for group in one.groups)}
        assert hears == ({found[one.name]} if one in meant else set())


def test_a_group_is_one_message() -> None:
    fleet = [Entry(name=f"d{n}", groups=("x",)) for n in range(3)]
    assert set(audiences_of(fleet, ["x"]).values()) == {"g/x"}
