"""What the shipped checks find in plugins: nothing in our own, and each breach in somebody's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent import plugins
from agent.contracts.checks import Subject, problem_of
from agent.contracts.rooms import ROOMS, checks_of
from tests.simulators.foreign_plugins import install, whole

if TYPE_CHECKING:
    from pathlib import Path

OWN = [(room, name) for room in ROOMS for name in plugins.names(room)]
PLAIN = "return result"
EVENT = 'return replace(result, events=(*result.events, {"event": "%s"}))'
BREACHES = [
    ("filters", "answers", "return result.items", "it gives tuple, not agent.types.Result"),
    (
        "filters",
        "answers",
        "return replace(result, items=list(result.items))",
        "items is a list, not a tuple",
    ),
    ("filters", "answers", EVENT % "Line crossed", "an event is called 'Line crossed', not noun.verb"),
    ("filters", "answers", 'return replace(result, items=({"score": 1.5},))', "a score of 1.5"),
    ("filters", "answers", 'return replace(result, items=({"x": float("nan")},))', "x holds nan"),
    (
        "filters",
        "answers",
        'return replace(result, items=({"x": np.float32(1)},))',
        "x holds a numpy.float32",
    ),
    (
        "filters",
        "answers",
        'return replace(result, items=({"x": "y" * 60000},))',
        "bytes as JSON, of at most",
    ),
    ("filters", "answers", 'return replace(result, kind="event")', "'event' is no kind of a result"),
    ("filters", "answers", 'raise SourceLost("a", "b", "c")', "apply raises SourceLost; only InputRejected"),
    ("filters", "answers", "return result.items[9]", "IndexError: tuple index out of range, at foreign_bad_"),
    (
        "filters",
        "untouched",
        "for item in result.items:\n    item['seen'] = True\nreturn result",
        "it has changed the result",
    ),
    (
        "filters",
        "passes_on",
        "return Result(result.kind, result.items)",
        "an event of a filter before it is gone",
    ),
    (
        "filters",
        "passes_on",
        "return Result(result.kind, result.items, result.events)",
        "gone from also",
    ),
    (
        "filters",
        "repeatable",
        'return replace(result, events=(*result.events, {"event": "time.is", "at": time.monotonic_ns()}))',
        "two filters that saw the same results differ",
    ),
    ("gates", "answers", "return True", "it gives bool, not agent.screening.Admission or None"),
    ("gates", "answers", "return Admission((0.5, 0.5, 0.5, 0.9))", "which has no area within the frame"),
    ("gates", "answers", "return Admission((0, 0, 1, 1))", "which are not four floats"),
    ("gates", "answers", "frame.data[...] = 0", "read-only"),
    ("gates", "answers", 'raise ModelInvalid("a", "b", "c", "d")', "admit raises ModelInvalid"),
    (
        "gates",
        "repeatable",
        "return Admission() if time.monotonic_ns() // 1000 % 2 else None",
        "two gates that saw the same frames differ",
    ),
    ("decoders", "fits", 'return Result("level", ())', "build takes the outputs []: raise ModelInvalid"),
    (
        "decoders",
        "pure",
        'Plugin.seen += 1\nreturn Result("level", ({"value": Plugin.seen},))',
        "the same outputs give another result the second time",
    ),
    ("decoders", "pure", "outputs[0][...] = 0", "read-only"),
    (
        "decoders",
        "garbage",
        'return Result("level", ({"value": float(outputs[0].reshape(-1)[0])},))',
        "value holds ",
    ),
    (
        "decoders",
        "integers",
        'return Result("level", ({"label": "a", "score": float(outputs[0].reshape(-1)[0])},))',
        "which is not within 0 and 1",
    ),
    (
        "decoders",
        "quantized",
        'return Result("level", ({"value": float(outputs[0].reshape(-1)[0])},))',
        "outputs give another result than the numbers that they stand for",
    ),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which distributions are found."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def found(room: str, name: str, *only: str) -> dict[str, str]:
    """Give the problem that each check finds, or each of those that are named."""
    subject = Subject(room, name)
    wanted = [check for check in checks_of(room) if not only or check.name in only]
    return {check.name: problem_of(check, subject) for check in wanted}


@pytest.mark.parametrize(("room", "name"), OWN)
def test_a_plugin_of_our_own_passes_every_check(room: str, name: str) -> None:
    assert {check: problem for check, problem in found(room, name).items() if problem} == {}


@pytest.mark.parametrize(
    ("room", "body"),
    [("filters", PLAIN), ("filters", EVENT % "line.crossed"), ("gates", "return Admission()")],
)
def test_a_sound_one_of_somebody_passes_every_check(folder: Path, room: str, body: str) -> None:
    name = f"sound_{room}_{len(body)}"
    install(folder, room, name, whole(room, body))
    assert set(found(room, name).values()) == {""}


@pytest.mark.parametrize("breach", range(len(BREACHES)))
def test_each_breach_is_found_by_its_check_and_told(folder: Path, breach: int) -> None:
    room, check, body, said = BREACHES[breach]
    name = f"bad_{breach}"
    install(folder, room, name, whole(room, body))
    problem = found(room, name, check)[check]
    assert said in problem
    assert "\n" not in problem


OPTIONS = whole("filters", PLAIN)


@pytest.mark.parametrize(
    ("check", "text", "said"),
    [
        ("loads", "import no_such_module_at_all\n", "ModuleNotFoundError: No module named"),
        ("loads", "raise SystemExit(3)\n", "SystemExit: 3"),
        ("loads", "Options = 1\n", "its module has no build"),
        ("loads", "Options = build = print\n", "Options is no model of pydantic's"),
        ("options", OPTIONS.replace('extra="forbid", ', ""), "Options take a key that they do not know"),
        ("options", OPTIONS.replace(", frozen=True", ""), "Options can be changed"),
        (
            "answers",
            OPTIONS.replace("default=1.0, ", ""),
            "seconds: Field required; give its module EXAMPLES",
        ),
        ("answers", OPTIONS + "\nEXAMPLES = [{'option': {}}]\n", "EXAMPLES: 0.option: Extra inputs"),
        ("described", OPTIONS.replace(', description="for how long"', ""), "without a description: seconds"),
    ],
)
def test_what_is_wrong_with_a_module_or_its_options_is_told(
    folder: Path, check: str, text: str, said: str
) -> None:
    name = f"odd_{abs(hash(text))}"
    install(folder, "filters", name, text)
    assert said in found("filters", name, check)[check]


def test_examples_give_options_that_have_no_default_and_outputs_that_fit(folder: Path) -> None:
    text = whole("decoders", 'return Result("level", ())').replace("default=1.0, ", "")
    text = text.replace(
        "    return Plugin()", "    assert more[0].outputs[0].shape == (3, 5)\n    return Plugin()"
    )
    shown = "\nEXAMPLES = [{'options': {'seconds': 2}, 'outputs': [[3, 5]]}]\n"
    install(folder, "decoders", "shown", text + shown)
    problems = found("decoders", "shown")
    assert problems["pure"] == problems["garbage"] == problems["options"] == ""
