"""A worker keeps its model, its source and the folder for its pictures, and gives up the rest."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from agent import resources
from agent.confinement.confine import Confinement, confine_owner, together
from agent.confinement.landlock import READ, WRITE, Grant
from agent.confinement.paths import carved, named_files
from agent.errors import FolderUnusable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from agent.config.pipelines import Stage
    from agent.types import Needs
    from agent.workers.spec import LaneSpec


def confine(spec: LaneSpec, needs: Iterable[Needs]) -> Confinement:
    """Confine this thread and those that it starts; there must be no other yet.

    Args:
        spec: says which model, and what stays hidden.
        needs: of the source and the backend.

    Raises:
        OSError: the kernel can do it, and refuses.
        FolderUnusable: the folder for pictures cannot be made.
    """
    if not spec.confine:
        return Confinement()
    wanted = together(needs)
    wanted = replace(wanted, devices=(*spec.devices, *wanted.devices))
    return confine_owner(spec.hidden, wanted, [*_read(spec), *_bundles(spec), *_drawn(spec)])


def _read(spec: LaneSpec) -> Iterator[Grant]:
    """Grant reading of the pipeline's models, and of what stands beside them, but for what is hidden."""
    hidden = [os.path.realpath(path) for path in spec.hidden]
    for path in _models(spec):
        yield from carved(os.path.realpath(path), hidden)


def _models(spec: LaneSpec) -> Iterator[str]:
    every: tuple[LaneSpec | Stage, ...] = (spec, *spec.stages)
    for one in every:
        yield one.model
        yield from (path for path in (one.labels, *named_files(one.decoder)) if path)
    yield from map(str, resources.bundled_models().values())


def _bundles(spec: LaneSpec) -> Iterator[Grant]:
    """Grant reading of the proved bundles in the hidden data folder, unless a link leads away."""
    if spec.bundles:
        path = Path(spec.bundles).absolute()
        data = os.path.realpath(path.parents[1])  # systemd has links above it
        if os.path.realpath(path) == str(Path(data, *path.parts[-2:])):
            yield Grant(str(path), READ)


def _drawn(spec: LaneSpec) -> Iterator[Grant]:
    """Make the folder for pictures, where some are wanted, and grant writing into it."""
    if not spec.draw:
        return
    try:
        Path(spec.draw).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FolderUnusable(
            "draw into", spec.draw, error.strerror or str(error), "Give a folder that can be written"
        ) from error
    yield Grant(spec.draw, WRITE)
