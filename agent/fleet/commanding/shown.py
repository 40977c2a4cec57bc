"""What ``edgectl command`` shows while it waits, and at the end."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson

from agent.commands import registry
from agent.fleet.columns import columns
from agent.fleet.commanding.arguments import takes
from agent.fleet.progress import moving
from agent.wording import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from agent.fleet.commanding.gathering import Result

_CELL, _LINE = 120, 1000
_MOST_LINES = 2000
"""Lines of one device's result that are shown; --json has all."""


@contextmanager
def following(op: str, *, quiet: bool) -> Iterator[Callable[[Result], None]]:
    """Show who has answered, on standard error: a line that moves on a terminal, else one a device's news."""
    if quiet:
        yield lambda _: None
        return
    if not sys.stderr.isatty():
        yield lambda one: print(f"{one.device}: {in_words(one)}", file=sys.stderr, flush=True)
        return
    with moving(bars=False) as bar:
        task = bar.add_task(f"{op}: sent", total=None)
        counts: dict[str, int] = {}
        states: dict[str, str] = {}

        def show(one: Result) -> None:
            if (before := states.get(one.device)) is not None:
                counts[before] -= 1
            states[one.device] = one.state
            counts[one.state] = counts.get(one.state, 0) + 1
            said = ", ".join(f"{number} {state}" for state, number in counts.items() if number)
            bar.update(task, description=f"{op}: {said}; last {one.device}")

        yield show


def in_words(one: Result) -> str:
    """Say where a device stands, in a line."""
    return f"{one.state}: {one.reason}" if one.reason else one.state


def as_json(op: str, found: Sequence[Result]) -> str:
    """Give one JSON object."""
    good = sum(one.good for one in found)
    facts = {"op": op, "of": len(found), "done": good, "devices": {one.device: _facts(one) for one in found}}
    return orjson.dumps(facts).decode()


def _facts(one: Result) -> dict[str, Any]:
    found = one.outcome
    return {
        "state": one.state,
        "refusal": found.refusal if found else None,
        "reason": (found.reason if found else "") or one.problem,
        "result": found.result if found else {},
        "files": [str(path) for path in one.files],
        "lacking": list(one.lacking),
        "refused_parts": one.refused,
        "at": found.at if found else None,
    }


def words(found: Sequence[Result]) -> str:
    """Give the same for people: all of one device's result; of several a table, those that failed first."""
    if len(found) == 1:
        return "\n".join(_alone(found[0]))
    rows = [("DEVICE", "STATE", "WHAT")]
    rows += [
        (one.device, one.state, plain(one.reason or _short(one), _CELL) or "-")
        for one in sorted(found, key=lambda each: (each.good, each.device))
    ]
    good = sum(one.good for one in found)
    return "\n".join([*columns(rows), f"{good} of {len(found)} have done it"])


def _alone(one: Result) -> list[str]:
    lines = [f"{one.device}: {in_words(one)}"]
    if one.outcome and one.outcome.result:
        text = orjson.dumps(one.outcome.result, option=orjson.OPT_INDENT_2).decode()
        shown = [plain(line, _LINE) for line in text.splitlines()]
        lines += shown[:_MOST_LINES]
        lines += [f"{len(shown) - _MOST_LINES} more lines: --json"] if len(shown) > _MOST_LINES else []
    return lines + _files(one)


def _files(one: Result) -> list[str]:
    lines = [f"file: {path}" for path in one.files]
    why = ", ".join(f"{number} {reason}" for reason, number in sorted(one.refused.items()))
    lines += [f"did not come: {name}{f'; parts of no use: {why}' if why else ''}" for name in one.lacking]
    if one.outcome and one.outcome.files and not (one.files or one.lacking):
        names = ", ".join(plain(each.name, _CELL) for each in one.outcome.files)
        lines.append(f"there is more, which --out FOLDER fetches: {names}")
    return lines


def _short(one: Result) -> str:
    """Give the result in a line."""
    result = one.outcome.result if one.outcome else {}
    said = " ".join(f"{key}={_value(value)}" for key, value in result.items())
    return " ".join(filter(None, (said, *_files(one))))


def _value(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def listed() -> list[str]:
    """Give a line for each command that there is."""
    verbs = [registry.find(op) for op in sorted(registry.OPS)]
    return columns([("OP", "TAKES", "WHAT IT DOES"), *((one.op, takes(one), one.summary) for one in verbs)])


def listed_json() -> str:
    """Give all commands as one JSON object, with the JSON Schema of what each takes."""
    verbs = [registry.find(op) for op in sorted(registry.OPS)]
    facts = {one.op: {"summary": one.summary, "args": one.args.model_json_schema()} for one in verbs}
    return orjson.dumps({"commands": facts}).decode()
