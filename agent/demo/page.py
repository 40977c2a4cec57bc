"""The demo's page: a row of numbers a pipeline, what each sees, the store, the link, the keys.

Pure: a status and a size go in, a grid comes out. Styles are those of rich.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.demo.canvas import bars, boxes
from agent.demo.chart import chart
from agent.demo.grid import Grid
from agent.demo.standing import in_words as wants_in_words
from agent.demo.standing import wanted
from agent.wording import in_words, plain

if TYPE_CHECKING:
    from agent.demo.watch import Watch

LEAST = (78, 20)
"""Columns and rows below which there is one line only."""
_WIDE = 112
_ANOMALY_AT = 0.5
"""An anomaly's score is error / (error + threshold): half at the threshold."""
_STATES = {"running": "bold green", "starting": "yellow", "backoff": "bold red", "killing": "bold red"}
_WISHES = {"active": "bold green", "rejected": "bold red", "rolled_back": "bold red"}
_NUMBERS = ("fps", "p50/p99 ms", "captured", "inferred", "dropped", "lost", "restarts")


@dataclass(frozen=True, slots=True)
class Facts:
    """What the page tells that no status holds."""

    broker: str
    broker_up: bool
    victim: str
    seconds: float


def page(watch: Watch, facts: Facts, width: int, height: int) -> Grid:
    """Lay out the page for a terminal of this size; below ``LEAST`` it is one line."""
    grid = Grid(width, height)
    if width < LEAST[0] or height < LEAST[1]:
        grid.put(0, 0, line(watch.status, broker_up=facts.broker_up))
        return grid
    end = grid.put(1, 0, "Edge Agent demo", "bold")
    grid.put(end + 3, 0, "broker, collector, agent and workers, all real", "dim")
    clock = f"{facts.seconds:.0f} s"
    grid.put(width - len(clock) - 1, 0, clock, "dim")
    status = watch.status
    if status is None:
        grid.put(1, 2, "the agent does not answer", "bold red")
    else:
        below = _table(grid, status["pipelines"], 2)
        _panels(grid, watch, below, height - 7)
        _store(grid, status, facts, height - 6)
        _models(grid, status["pipelines"], height - 4)
    grid.put(1, height - 3, plain(watch.said, width - 2), "bold yellow")
    _keys(grid, {"m": "roll out a better model", "x": "tamper with one on its way"}, height - 2)
    _keys(grid, _faults(facts), height - 1)
    return grid


def line(status: dict[str, Any] | None, *, broker_up: bool) -> str:
    """Say all in one line, as where there is no room for a page."""
    if status is None:
        return "the agent does not answer"
    store = status["store"]
    link = status["link"]["state"] if broker_up else "broker cut"
    pipelines = [
        f"{one['name']} {one['state']} {one['fps']:.1f}/s restarts {one['restarts']}"
        for one in status["pipelines"]
    ]
    rest = [f"backlog {store['backlog']}", f"stored {store['committed']}", f"acked {store['acked']}"]
    return " | ".join([link, *pipelines, *rest])


def _table(grid: Grid, pipelines: list[dict[str, Any]], row: int) -> int:
    """Write the heads and two lines a pipeline; give the row below."""
    wide = grid.width >= _WIDE
    heads = _columns(("pipeline", "state", "model" if wide else "", "delegate" if wide else ""), _NUMBERS)
    grid.put(1, row, heads if wide else heads[:20] + heads[50:], "dim")
    for at, one in enumerate(pipelines, start=row + 1):
        ledger = one["ledger"]
        numbers = (
            f"{one['fps']:.1f}",
            f"{one['infer_p50_ms']:.2f}/{one['infer_p99_ms']:.2f}",
            str(ledger["captured"]),
            str(ledger["inferred"]),
            str(sum(ledger["dropped"].values())),
            str(ledger["lost"]),
            str(one["restarts"]),
        )
        text = _columns(("", "", one["model"] or "-", one["delegate"] or "-"), numbers)
        at_row = row + 1 + 2 * (at - row - 1)
        grid.put(1, at_row, text if wide else text[:20] + text[50:])
        grid.put(1, at_row, plain(one["name"], 9), "bold")
        grid.put(11, at_row, one["state"], _STATES.get(one["state"], "bold"))
        words = _latest(one)
        if not wide:
            words = f"{plain(one['model'] or '-', 24)} on {one['delegate'] or '-'}: {words}"
        grid.put(3, at_row + 1, plain(words, grid.width - 4), "dim")
    return row + 1 + 2 * len(pipelines)


def _columns(words: tuple[str, str, str, str], numbers: tuple[str, ...]) -> str:
    left = f"{words[0]:<9} {words[1]:<9} {plain(words[2], 20):<20} {plain(words[3], 8):<8} "
    return left + " ".join(f"{n:>{w}}" for n, w in zip(numbers, (5, 10, 8, 8, 7, 5, 8), strict=True))


def _latest(one: dict[str, Any]) -> str:
    last = one["last"]
    if one["state"] != "running" and one["problem"]:
        return str(one["problem"])
    if last is None:
        return "no result yet"
    stale = f" ({last['age_s']:.0f} s ago)" if last["age_s"] >= 2 else ""
    return in_words(last["items"], more=last["more"]) + stale


def _panels(grid: Grid, watch: Watch, top: int, bottom: int) -> None:
    """Draw what each pipeline sees side by side, from row ``top`` up to ``bottom``."""
    pipelines = watch.status["pipelines"] if watch.status else []
    height = bottom - top
    if height < 4:
        return
    shares = [_share(one) for one in pipelines]
    left = 0
    for at, one in enumerate(pipelines):
        right = grid.width * sum(shares[: at + 1]) // sum(shares)
        inside = _inside(one, watch.scores(one["name"]), right - left - 2, height - 2)
        grid.frame(left, top, right - left, height, "dim")
        grid.put(left + 2, top, f" {plain(one['name'], max(1, right - left - 6))} ", "bold")
        grid.paste(left + 1, top + 1, inside)
        left = right


def _share(one: dict[str, Any]) -> int:
    last = one["last"]
    return 3 if last is not None and last["kind"] == "detection" else 2


def _inside(one: dict[str, Any], scores: list[float], width: int, height: int) -> Grid:
    last = one["last"]
    items = last["items"] if last else []
    if last and last["kind"] == "detection":
        return boxes(items, width, height)
    if any("threshold" in item for item in items):
        grid = Grid(width, height)
        grid.paste(0, 0, chart(scores, _ANOMALY_AT, width, height - 1))
        style = "bold red" if scores and scores[-1] >= _ANOMALY_AT else "green"
        words = f"{plain(items[0].get('label'), 16)} {scores[-1]:.2f}" if scores else ""
        end = grid.put(0, height - 1, words, style)
        grid.put(max(end + 1, width - 11), height - 1, "┄ threshold", "yellow")
        return grid
    return bars(items, width, height)


def _store(grid: Grid, status: dict[str, Any], facts: Facts, row: int) -> None:
    store, link = status["store"], status["link"]
    end = grid.put(1, row, "store  ", "dim")
    text = f"{store['committed']} on disk, {store['acked']} acknowledged by the collector, backlog "
    end = grid.put(end, row, text)
    grid.put(end, row, str(store["backlog"]), "" if facts.broker_up else "bold yellow")
    end = grid.put(1, row + 1, "link   ", "dim")
    if not facts.broker_up:
        grid.put(end, row + 1, "broker cut: results wait on the disk, inference goes on", "bold red")
        return
    good = link["state"] == "online"
    end = grid.put(end, row + 1, str(link["state"]), "bold green" if good else "yellow")
    sent = f", {link['batches_sent']} batches sent" if "batches_sent" in link else ""
    grid.put(end, row + 1, f" with {facts.broker} at {link.get('broker', '-')}{sent}")


def _models(grid: Grid, pipelines: list[dict[str, Any]], row: int) -> None:
    """Say what the device says of the model that is wanted of it."""
    end = grid.put(1, row, "model  ", "dim")
    for one in pipelines:
        if title := wanted(one):
            style = _WISHES.get(one["wants"]["state"], "bold red" if one["wants"]["reason"] else "yellow")
            end = grid.put(end, row, title, style)
            words = wants_in_words(one["wants"])
            grid.put(end, row, plain(f": {words}", grid.width - end - 1))
            return
    grid.put(end, row, "as configured; the operator wants no other", "dim")


def _faults(facts: Facts) -> dict[str, str]:
    return {
        "b": "cut the broker" if facts.broker_up else "bring the broker back",
        "k": f"kill the {facts.victim} worker",
        "q": "quit and count",
    }


def _keys(grid: Grid, keys: dict[str, str], row: int) -> None:
    column = 1
    for key, words in keys.items():
        column = grid.put(column, row, f" {key} ", "reverse bold")
        column = grid.put(column, row, f" {words}  ")
