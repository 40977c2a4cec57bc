"""Which devices take part, by what they say of themselves, and in which wave."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.errors import BundleRefused
from agent.updater.fitness import Machine, check
from agent.wording import plain

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from agent.documents.reported import Reported
    from agent.manifest import Manifest

_REASON = 500
_ENOUGH = 1 << 50
"""Bytes: stands for what a device does not say; it looks itself before it fetches."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """Who takes part, who does not and why, and of whom nobody knows."""

    devices: tuple[str, ...]
    left_out: dict[str, str] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()


def admit(
    manifest: Manifest,
    pipelines: Sequence[str],
    devices: Sequence[str],
    reports: Mapping[str, Reported],
    *,
    strict: bool,
) -> Admitted:
    """Choose among devices.

    Args:
        manifest: of the model.
        pipelines: that are to run it.
        devices: those that were named.
        reports: what is proved to be theirs.
        strict: leave out those that have reported nothing, too.
    """
    left_out: dict[str, str] = {}
    unknown = tuple(one for one in devices if one not in reports)
    for one in devices:
        if found := reports.get(one):
            if reason := unfit(manifest, pipelines, found):
                left_out[one] = plain(reason, _REASON)  # it may quote the device, at any length
        elif strict:
            left_out[one] = "it has reported nothing"
    return Admitted(tuple(one for one in devices if one not in left_out), left_out, unknown)


def unfit(manifest: Manifest, pipelines: Sequence[str], reported: Reported) -> str:
    """Say why a device cannot run a model; "" where nothing speaks against it.

    What it does not say of itself speaks against nothing. ``requires.disk_mb`` is of a whole disk, of which a
    device tells what is free: it looks at that itself.
    """
    if missing := [one for one in pipelines if one not in reported.pipelines]:
        known = ", ".join(sorted(reported.pipelines)) or "none"
        return f"it has no pipeline {', '.join(missing)}, but: {known}"
    board = reported.board
    ram = board.ram_mb << 20 if board and board.ram_mb else _ENOUGH
    arch = reported.arch or (manifest.requires.arch or ("",))[0]
    agent = reported.agent or manifest.requires.agent
    try:
        check(manifest, Machine(agent, arch, ram, _ENOUGH))
    except BundleRefused as error:
        return error.problem
    if board is None:
        return ""
    wants, has = manifest.budget.rss_mb, board.budget_mb
    if wants and has and wants > has:
        return f"budget: the model takes {wants:g} MB, and models may have {has} there"
    if board.disk_mb and manifest.size > board.disk_mb << 20:
        return f"its {-(-manifest.size >> 20)} MB do not fit into the {board.disk_mb} that are free"
    return ""


def ordered(devices: Sequence[str], online: Collection[str], first: int, seed: int) -> list[str]:
    """Give the order in which devices get the model: shuffled, but the first ones are online now.

    Args:
        devices: all of them.
        online: those that are connected, as the broker says.
        first: how many the first wave has.
        seed: the same gives the same order.
    """
    shuffled = sorted(devices)
    random.Random(seed).shuffle(shuffled)  # noqa: S311 - an order, no secret
    canaries = [one for one in shuffled if one in online][:first]
    chosen = frozenset(canaries)
    return canaries + [one for one in shuffled if one not in chosen]


def by_wave(order: Sequence[str], sizes: Sequence[int]) -> dict[str, int]:
    """Give each device's wave, from 0."""
    found: dict[str, int] = {}
    at = 0
    for wave, size in enumerate(sizes):
        found |= dict.fromkeys(order[at : at + size], wave)
        at += size
    return found
