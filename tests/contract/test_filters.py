"""What every filter must keep to, whatever results it is given."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from agent import plugins
from agent.errors import InputRejected
from agent.types import FrameInfo, Result

if TYPE_CHECKING:
    from types import ModuleType

    from agent.screening import Filter

NAMES = plugins.names("filters")
SQUARE = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]
# Options that have no default, and such that make a filter do what it does in few results: a new filter whose
# defaults don't adds its own here.
REQUIRED: dict[str, dict[str, Any]] = {
    "lines": {"lines": [{"name": "gate", "points": [[0.5, 0.0], [0.5, 1.0]]}]},
    "schedule": {"windows": [{}]},
    "zones": {"zones": [{"name": "yard", "points": SQUARE}]},
}
EAGER: dict[str, dict[str, Any]] = {
    "count": {"hold_s": 0, "at_least": 1},
    "debounce": {"seen": 1, "of": 2},
    "dwell": {"after_s": 0, "repeat_s": 0.1},
    "lines": {"margin": 0},
    "track": {"min_hits": 1, "start_score": 0},
    "zones": {"settle_s": 0, "lost_s": 0},
}
BOXES = st.tuples(*[st.floats(0, 1, width=32)] * 4).map(
    lambda box: [min(box[0], box[2]), min(box[1], box[3]), max(box[0], box[2]), max(box[1], box[3])]
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
SOUND = st.fixed_dictionaries(
    {"label": st.sampled_from("abc"), "index": st.integers(0, 2), "score": st.floats(0, 1)},
    optional={
        "box": BOXES,
        "track": st.integers(1, 4),
        "zones": st.lists(st.sampled_from(["yard", "street"]), unique=True),
        "value": st.floats(-1e6, 1e6),
        "keypoints": st.just([{"label": "nose", "index": 0, "point": [0.5, 0.5], "score": 0.9}]),
    },
)
KEYS = ["label", "index", "score", "box", "track", "zones", "value", "keypoints", "text", "mask"]
ODD = st.dictionaries(st.sampled_from(KEYS), JSON | BOXES, max_size=6)
KINDS = st.sampled_from(["detection", "pose", "classification", "tensor", "of somebody else"])
EVENTS = st.lists(st.just({"event": "door.opened"}), max_size=1).map(tuple)
ALSO = st.dictionaries(
    st.sampled_from(["faces", "plates"]),
    st.fixed_dictionaries({"kind": KINDS, "items": st.lists(SOUND, max_size=2)}),
    max_size=1,
)


def results(items: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[list[tuple[int, Result]]]:
    """Some results, each with how long after the one before it came, nanoseconds."""
    one = st.builds(Result, KINDS, st.lists(items, max_size=5).map(tuple), EVENTS, ALSO)
    return st.lists(st.tuples(st.integers(0, 3_000_000_000), one), min_size=1, max_size=8)


def build(name: str, *, eager: bool) -> Filter:
    module = plugins.load("filters", name)
    told = {**REQUIRED.get(name, {}), **(EAGER.get(name, {}) if eager else {})}
    built: Filter = module.build(module.Options(**told))
    return built


def passed(name: str, stream: list[tuple[int, Result]], *, eager: bool) -> list[Result | str | None]:
    """Give what a filter makes of some results: a text where it refuses one."""
    one, now_ns, found = build(name, eager=eager), 5_000_000_000, list[Result | str | None]()
    for seq, (later_ns, result) in enumerate(stream):
        now_ns += later_ns
        before = copy.deepcopy(result)
        try:
            found.append(one.apply(result, FrameInfo(seq, now_ns, height=480, width=640)))
        except InputRejected as error:
            found.append(str(error))
        assert result == before, "the result that it was given is changed"
    return found


def check(given: Result, made: Result) -> None:
    """Check what holds for each result that goes on."""
    assert made.kind == given.kind
    assert made.also == given.also
    assert made.events[: len(given.events)] == given.events
    assert isinstance(made.items, tuple)
    assert isinstance(made.events, tuple)
    assert json.loads(json.dumps([*made.items, *made.events], allow_nan=False)) == [*made.items, *made.events]
    for event in made.events:
        noun, _, verb = event["event"].partition(".")
        assert noun
        assert verb
    for item in made.items:
        assert all(0 <= share <= 1 for share in item["box"]) if "box" in item else True


@pytest.fixture(params=NAMES)
def module(request: pytest.FixtureRequest) -> ModuleType:
    return plugins.load("filters", request.param)


def test_options_have_defaults_and_refuse_what_they_do_not_know(module: ModuleType) -> None:
    required = REQUIRED.get(module.__name__.rpartition(".")[2], {})
    needed = {key for key, field in module.Options.model_fields.items() if field.is_required()}
    assert needed == required.keys()
    options = module.Options(**required)
    with pytest.raises(ValidationError, match="extra_forbidden"):
        module.Options(**required, no_such_option=1)
    with pytest.raises(ValidationError):
        options.__setattr__(next(iter(type(options).model_fields)), 1)
    assert all(field.description for field in module.Options.model_fields.values())


@pytest.mark.parametrize("eager", [False, True])
@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=30)
@given(stream=results(SOUND))
def test_what_goes_on_is_json_without_nan_and_what_came_in_is_as_it_was(
    name: str, eager: bool, stream: list[tuple[int, Result]]
) -> None:
    made = passed(name, stream, eager=eager)
    assert made == passed(name, stream, eager=eager), "the same results at the same times give something else"
    for (_, given_), one in zip(stream, made, strict=True):
        assert not isinstance(one, str), one
        if one is not None:
            check(given_, one)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=30)
@given(stream=results(ODD))
def test_items_of_any_other_kind_pass_or_are_refused_as_input(
    name: str, stream: list[tuple[int, Result]]
) -> None:
    for one in passed(name, stream, eager=True):
        if isinstance(one, Result):
            json.dumps([*one.items, *one.events], allow_nan=False)
        else:
            assert "\n" not in (one or "")


@pytest.mark.parametrize("name", NAMES)
def test_a_result_without_items_is_no_trouble(name: str) -> None:
    for one in passed(name, [(0, Result("detection", ()))] * 3, eager=True):
        assert one is None or one == Result("detection", ())
