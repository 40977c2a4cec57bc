"""What the command line says of a rollout is read, or refused with the way to write it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import ConfigInvalid
from agent.fleet.rollouts import wanted
from agent.fleet.rollouts.admission import by_wave, ordered

TOLD = wanted.Told(
    model="Shapes@1.1.0".lower(),
    fleet="demo",
    pipelines="door, yard",
    waves="1,10%,50%,100%",
    soak="2h",
    deadline="6h",
    max_fail="2%",
    conditions=("p95 > 1.3x", "failed>2%", "temperature > 80", "fps < 0.8x"),
    frames=7,
)


def test_a_plan_is_what_was_written() -> None:
    plan = wanted.plan(TOLD, ["shapes-1-1-0"])
    assert (plan.name, str(plan.model), plan.pipelines) == (
        "shapes-1-1-0-2",
        "shapes@1.1.0",
        ("door", "yard"),
    )
    assert (plan.soak_s, plan.deadline_s, plan.max_fail, plan.max_silent) == (7200, 21600, 0.02, None)
    assert (plan.frames, plan.seconds) == (7, None)
    assert [(one.metric, one.above, one.limit, one.relative) for one in plan.conditions] == [
        ("p95", True, 1.3, True),
        ("failed", True, 0.02, False),
        ("temperature", True, 80, False),
        ("fps", False, 0.8, True),
    ]


@pytest.mark.parametrize(
    ("news", "words"),
    [
        ({"model": "shapes"}, "version"),
        ({"pipelines": "door,,yard"}, "pipelines"),
        ({"name": "No Name"}, "name"),
        ({"on_fail": "explode"}, "on_fail"),
        ({"waves": "1,50%"}, "the last wave must be 100%"),
        ({"waves": "50%,10%,100%"}, "each wave must reach more devices"),
        ({"waves": "0,100%"}, "a number of devices above 0"),
        ({"waves": "1,,100%"}, "a number of devices above 0"),
        ({"soak": "2"}, "no duration"),
        ({"soak": "400d"}, "no duration"),
        ({"max_fail": "0.02"}, "no share"),
        ({"max_silent": "101%"}, "no share"),
        ({"conditions": ("p95 >= 3",)}, "no condition"),
        ({"conditions": ("heat > 3",)}, "no condition"),
        ({"conditions": ("temperature > 1.3x",)}, "not compared with what it was before"),
        ({"conditions": ("failed > 2",)}, "% goes with failed and dropped"),
        ({"conditions": ("p95 > 2%",)}, "% goes with failed and dropped"),
    ],
)
def test_what_makes_no_plan_is_refused_with_the_way_to_write_it(news: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        wanted.plan(replace(TOLD, **news), [])  # type: ignore[arg-type]
    assert words in str(refused.value)
    assert refused.value.hint


@given(devices=st.integers(1, 3000), steps=st.lists(st.integers(1, 99), max_size=6, unique=True))
def test_waves_grow_as_written_and_reach_each_device_once(devices: int, steps: list[int]) -> None:
    text = ",".join([*(f"{one}%" for one in sorted(steps)), "100%"])
    sizes = wanted.sizes(wanted.waves(text), devices)
    assert sum(sizes) == devices
    assert all(sizes)
    reached = 0
    for size in sizes:
        reached += size
        assert any(-(-one * devices // 100) == reached for one in (*steps, 100))
    names = [str(number) for number in range(devices)]
    assert len(by_wave(names, sizes)) == devices


@given(
    names=st.lists(st.sampled_from("abcdefghij"), min_size=1, unique=True),
    first=st.integers(1, 5),
    seed=st.integers(0, 99),
    data=st.data(),
)
def test_the_order_is_the_seeds_and_the_first_are_online(
    names: list[str], first: int, seed: int, data: st.DataObject
) -> None:
    online = data.draw(st.sets(st.sampled_from(names)))
    order = ordered(names, online, first, seed)
    assert sorted(order) == sorted(names)
    assert order == ordered(list(reversed(names)), online, first, seed)
    assert all(one in online for one in order[: min(first, len(online))])
