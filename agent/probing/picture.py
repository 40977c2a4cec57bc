"""A passport as text of 80 columns, worth pasting into an issue. Pure."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from agent.wording import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.probing.passport import DelegatePart, Passport

WIDTH = 80
_INDENT = 10
_MOST_CAMERAS = 8


def draw(passport: Passport) -> Iterator[str]:
    """Give the lines."""
    yield from _board(passport)
    yield ""
    yield from _machine(passport)
    yield ""
    heads = f"{'nodes':>9}{'goldens':>9}{'load ms':>9}{'first ms':>10}{'next ms':>9}"
    yield f"{'delegate':<{_INDENT}}{'':8}{heads}"
    for one in passport.delegates:
        yield from _delegate(one)


def _board(passport: Passport) -> Iterator[str]:
    board = passport.board
    title = " + ".join((board.profile, *(one.name for one in board.overlays)))
    yield from _row("board", f"{title}: {board.description}")
    yield from _row("", f"since {board.why}")
    for one in board.overlays:
        yield from _row("", f"with {one.name}, since {one.why}")
    if not board.tested:
        yield from _row("", "nobody has run the agent on such a board yet: this page is welcome")
    if board.serial:
        yield from _row("", f"serial number {board.serial}")


def _machine(passport: Passport) -> Iterator[str]:
    cpu, memory, system, heat = passport.cpu, passport.memory, passport.system, passport.thermal
    speed = f", up to {cpu.max_mhz} MHz" if cpu.max_mhz else ""
    cores = "1 core" if cpu.cores == 1 else f"{cpu.cores} cores"
    yield from _row("cpu", f"{cpu.model}, {cores}{speed}, {system.machine}")
    yield from _row("", " ".join(cpu.features))
    swap = f", {memory.swap_mb} MB of swap" if memory.swap_mb else ""
    yield from _row("memory", f"{memory.total_mb} MB{swap}; models may have {memory.budget_mb} MB")
    yield from _row("system", ", ".join(filter(None, (system.os, f"Linux {system.kernel}", system.libc))))
    yield from _row("", f"Python {system.python}, edge-agent {system.agent}")
    runtime = passport.runtime
    yield from _row("runtime", f"{runtime.name} ({runtime.why})" if runtime.name else f"none: {runtime.why}")
    zones = ", ".join(
        f"{one.type} {one.now_c:g}" for one in heat.zones if one.counts and one.now_c is not None
    )
    limits = f"eases at {heat.soft_c:g} °C, limit {heat.hard_c:g} °C"
    slow = {True: "; throttled now", False: "; not throttled", None: ""}[heat.throttled]
    yield from _row("heat", f"{zones or 'no zone that counts'}; {limits}{slow}")
    for sensor in passport.power:
        whole = ", the whole board" if sensor.board else ""
        yield from _row("power", f"{sensor.name}: {', '.join(sensor.inputs)}{whole}")
    for number, one in enumerate(passport.cameras[:_MOST_CAMERAS]):
        told = one.problem or "; ".join(one.formats) or "what it can give it does not say"
        yield from _row("" if number else "cameras", f"{one.device} ({one.name}): {told}")
    if not passport.cameras:
        yield from _row("cameras", "none")


def _delegate(one: DelegatePart) -> Iterator[str]:
    nodes = "" if one.delegated is None else f"{one.delegated[0]} of {one.delegated[1]}"
    goldens = "" if one.goldens is None else f"{one.goldens[0]} of {one.goldens[1]}"
    times = (one.load_ms, one.first_ms, one.next_ms)
    load, first, following = ("" if time is None else f"{time:.2f}" for time in times)
    name = plain(one.title, _INDENT - 1)
    line = f"{name:<{_INDENT}}{one.verdict:<8}{nodes:>9}{goldens:>9}{load:>9}{first:>10}{following:>9}"
    yield line.rstrip()
    if len(one.title) >= _INDENT:
        yield from _row("", one.title)
    yield from _row("", one.reason)


def _row(name: str, text: str) -> Iterator[str]:
    """Give a line with its name at the left, wrapped below the text."""
    if not text:
        return
    room = WIDTH - _INDENT
    for number, line in enumerate(textwrap.wrap(plain(text, 1000), room, break_on_hyphens=False)):
        yield f"{name if not number else '':<{_INDENT}}{line}"
