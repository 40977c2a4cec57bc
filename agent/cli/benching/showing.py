"""What ``edge-agent bench`` prints: a table of at most 80 columns, one JSON object, and how far it is."""

from __future__ import annotations

import platform
import sys
import textwrap
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from agent import __version__
from agent.boards.machine import machine
from agent.wording import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from agent.tuning.choosing import Choice
    from agent.tuning.measured import Measured

_WIDTH = 80
_HEAD = "kernels  threads      p50      p95      p99    fps    MB   load  first  nodes"
_SHARES = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}


def device(board: str) -> dict[str, str]:
    """Say where it was measured."""
    return {
        "agent": __version__,
        "board": board,
        "machine": machine(),
        "python": platform.python_version(),
    }


def as_json(name: str, measured: Sequence[Measured], choice: Choice | None, *, whole: bool) -> dict[str, Any]:
    """Give everything of one model."""
    loaded = next((one.loaded for one in measured if one.loaded), None)
    ratio = choice.ratio if choice else None
    return {
        "name": name,
        "model": loaded.model if loaded else None,
        "sha256": loaded.sha256 if loaded else None,
        "size": loaded.size if loaded else None,
        "runtime": loaded.runtime if loaded else None,
        "whole": whole,
        "settings": [_setting(one, default=n == 0) for n, one in enumerate(measured)],
        "choice": {
            "threads": choice.setting.threads,
            "xnnpack": choice.setting.xnnpack,
            "why": choice.why,
            "ratio": [ratio.median, ratio.low, ratio.high] if ratio else None,
        }
        if choice
        else None,
    }


def _setting(one: Measured, *, default: bool) -> dict[str, Any]:
    loaded = (
        one.loaded.model_dump(exclude={"type", "model", "sha256", "size", "runtime"}) if one.loaded else {}
    )
    times = {name: one.share(share) for name, share in _SHARES.items()} if one.times else {}
    return {
        "threads": one.setting.threads,
        "xnnpack": one.setting.xnnpack,
        "accelerator": one.setting.delegate,
        "default": default,
        **loaded,
        **times,
        "fps": one.fps if one.times else None,
        "rounds": len(one.rounds),
        "inferences": len(one.times),
        "p95_ms_by_round": one.p95s,
        "goldens": one.goldens,
        "checked": one.checked,
        "problem": one.problem,
    }


def lines(measured: Sequence[Measured], board: str) -> list[str]:
    """Give the table of one model, with all that one needs to compare it."""
    loaded = next((one.loaded for one in measured if one.loaded), None)
    if loaded is None:
        return [_HEAD]
    where = f"{loaded.runtime}, Python {platform.python_version()}, edge-agent {__version__}, {board}"
    title = f"{plain(loaded.model, 44)}  {loaded.size:,} bytes"
    head = [f"{title}  sha256 {loaded.sha256[:12]}", *textwrap.wrap(f"{where}; {machine()}", _WIDTH)]
    rows = [_row(one, default=n == 0) for n, one in enumerate(measured) if one.times]
    notes = ["* the default; times in ms, memory as 2^20 bytes that the model adds"]
    notes += [f"{one.setting}: {plain(one.problem, 400)}" for one in measured if one.problem]
    return [*head, _HEAD, *rows, *(line for note in notes for line in textwrap.wrap(note, _WIDTH))]


def _row(one: Measured, *, default: bool) -> str:
    loaded = one.loaded
    if loaded is None:
        return ""
    mark = "*" if default else "!" if one.problem else " "
    times = " ".join(_number(one.share(share), 8) for share in _SHARES.values())
    taken, nodes = loaded.delegated
    rest = f"{loaded.rss_mb:5.1f} {_number(loaded.load_ms, 6)} {_number(loaded.first_ms, 6)}"
    what = f"{mark}{plain(one.setting.kernels, 11):<11}{one.setting.threads:>4}"
    return f"{what} {times} {_fps(one.fps)} {rest} {taken:>3}/{nodes}"


def _number(value: float, width: int) -> str:
    """Give three digits or so: nobody compares more."""
    digits = 3 if value < 10 else 2 if value < 100 else 1
    return f"{value:{width}.{digits}f}"


def _fps(value: float) -> str:
    return f"{value:6.1f}" if value < 1000 else f"{value:6.0f}"


def chosen(choice: Choice) -> list[str]:
    """Say what was chosen, and why."""
    ratio = choice.ratio
    spread = f" (95 % certain: {ratio.low:.2f} to {ratio.high:.2f})" if ratio else ""
    return textwrap.wrap(f"chosen: {choice.setting}: {choice.why}{spread}", _WIDTH)


@contextmanager
def progress(name: str) -> Iterator[Callable[[float], None]]:
    """Show how far it is, on a terminal only; the line goes when it is done."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return

    def show(done: float) -> None:
        filled = round(done * 30)
        bar = "#" * filled + "-" * (30 - filled)
        sys.stderr.write(f"\r{plain(name, 30)} [{bar}] {done:4.0%}")
        sys.stderr.flush()

    try:
        yield show
    finally:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
