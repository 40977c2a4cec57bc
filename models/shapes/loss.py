"""What the shape network is trained to do: a peak at each centre, and the box around it.

The peaks' loss is the penalty-reduced focal loss of "Objects as Points" (Zhou et al., 2019, equation 1), with
Gaussians that follow the box's height and width; the boxes' is one minus the intersection over union.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
from jax import numpy as jnp

from agent.sources.synthesis.glyphs import SHAPE_LABELS
from models.shapes import network
from models.shapes.data import VISIBLE
from models.shapes.network import COLUMNS, ROWS

if TYPE_CHECKING:
    from models.shapes.network import Params

_SPREAD, _LEAST = 0.09, 0.6
"""A Gaussian's deviation: share of the box's side, and the least, in cells."""
_NEAR = 0.3
"""Where a Gaussian is above this, its shape's box is learned, or its class not judged if it is difficult."""
_BOX_WEIGHT = 1.0


def loss(params: Params, images: Any, shown: Any) -> Any:
    """Give the loss of a batch.

    Args:
        params: of the network.
        images: uint8 (batch, height, width, 3).
        shown: float32 (batch, shapes, 6), as ``data.training_set`` gives it.
    """
    logits, sides = network.heads(params, images)
    hill, wanted = _hills(shown)
    known = shown[..., 0] >= 0
    easy = known & (shown[..., 5] >= VISIBLE)
    classes = jax.nn.one_hot(shown[..., 0].astype(int), len(SHAPE_LABELS))
    heat = _by_class(jnp.where(easy[:, None, None], hill, 0.0), classes)
    doubtful = _by_class(jnp.where((known & ~easy)[:, None, None], hill, 0.0), classes)
    count = jnp.maximum(easy.sum(), 1)
    peaks = _focal(logits, heat, (doubtful < _NEAR) | (heat == 1)) / count
    mine = jnp.where(easy[:, None, None], hill, 0.0)
    owner = mine.argmax(axis=3)
    weight = jnp.where(mine.max(axis=3) > _NEAR, mine.max(axis=3), 0.0)
    box = jnp.take_along_axis(wanted, owner[..., None, None], axis=3)[..., 0, :]
    overlap = _overlap(sides, box)
    return peaks + _BOX_WEIGHT * ((1 - overlap) * weight).sum() / jnp.maximum(weight.sum(), 1)


def _hills(shown: Any) -> tuple[Any, Any]:
    """Give each shape's Gaussian, 1 in its centre's cell, and the sides of its box from each cell.

    Returns:
        (batch, rows, columns, shapes) and (batch, rows, columns, shapes, 4).
    """
    scale = jnp.array([ROWS, COLUMNS, ROWS, COLUMNS], jnp.float32)
    box = (shown[..., 1:5] * scale)[:, None, None]
    top, left, bottom, right = (box[..., at] for at in range(4))
    row, column = jnp.arange(ROWS)[None, :, None, None] + 0.5, jnp.arange(COLUMNS)[None, None, :, None] + 0.5
    down = (row - 0.5 - jnp.floor((top + bottom) / 2)) / jnp.maximum(_LEAST, _SPREAD * (bottom - top))
    across = (column - 0.5 - jnp.floor((left + right) / 2)) / jnp.maximum(_LEAST, _SPREAD * (right - left))
    hill = jnp.exp(-(down**2 + across**2) / 2)
    shape = hill.shape
    sides = (row - top, column - left, bottom - row, right - column)
    return hill, jnp.stack([jnp.broadcast_to(side, shape) for side in sides], axis=-1)


def _by_class(hill: Any, classes: Any) -> Any:
    """Give the highest hill of each class: (batch, rows, columns, classes)."""
    return (hill[..., None] * classes[:, None, None]).max(axis=3)


def _focal(logits: Any, heat: Any, judged: Any) -> Any:
    sure, unsure = jax.nn.log_sigmoid(logits), jax.nn.log_sigmoid(-logits)
    score = jax.nn.sigmoid(logits)
    hit = -((1 - score) ** 2) * sure
    false = -((1 - heat) ** 4) * score**2 * unsure
    return jnp.where(heat == 1, hit, jnp.where(judged, false, 0.0)).sum()


def _overlap(sides: Any, wanted: Any) -> Any:
    """Give the intersection over union of boxes around the same point; 0 where there is none."""
    lesser = jnp.maximum(jnp.minimum(sides, wanted), 0)
    common = (lesser[..., 0] + lesser[..., 2]) * (lesser[..., 1] + lesser[..., 3])
    areas = [(one[..., 0] + one[..., 2]) * (one[..., 1] + one[..., 3]) for one in (sides, wanted)]
    return common / jnp.maximum(areas[0] + areas[1] - common, 1e-6)
