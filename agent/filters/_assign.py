"""Who is who: overlaps of boxes, and the pairs that overlap most in sum."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from agent.types import Array


class Pairs(NamedTuple):
    """Pairs of boxes that overlap: row and column of each, int64 (K,), and their intersection over union."""

    rows: Array
    columns: Array
    shares: Array

    def only(self, which: Array) -> Pairs:
        """Give those that a mask or a list of indices names."""
        return Pairs(self.rows[which], self.columns[which], self.shares[which])


def overlaps(one: Array, other: Array, reach: float = 0.0) -> Pairs:
    """Find which box of one set overlaps which of the other, and by how much.

    Args:
        one: float64 (N, 4): ymin, xmin, ymax, xmax; the rows.
        other: (M, 4), the columns.
        reach: by how much of its height and width each box is widened on every side before (F. Yang et al.,
            "Hard to Track Objects with Irregular Motions and Similar Appearances?", WACV 2023).
    """
    if reach:
        one, other = _widened(one, reach), _widened(other, reach)
    top, left, bottom, right = one.T[:, :, None]
    # Most pairs of a frame are far apart: only those that touch are computed.
    touch = (top < other[:, 2]) & (bottom > other[:, 0]) & (left < other[:, 3]) & (right > other[:, 1])
    rows, columns = np.nonzero(touch)
    a, b = one[rows], other[columns]
    common = (np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])).prod(axis=1)
    union = sum((box[:, 2:] - box[:, :2]).prod(axis=1) for box in (a, b)) - common
    shares = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return Pairs(rows, columns, shares)


def _widened(boxes: Array, reach: float) -> Array:
    margin = reach * (boxes[:, 2:] - boxes[:, :2])
    return np.concatenate([boxes[:, :2] - margin, boxes[:, 2:] + margin], axis=1)


def assign(pairs: Pairs) -> Pairs:
    """Choose pairs so that each row and each column is in one at most, and the sum of shares is the greatest.

    Pairs that nobody contests are taken at once; the others are settled by the Hungarian method (H. W. Kuhn,
    1955), in its form of shortest augmenting paths: O(n^3) for n rows that are contested.

    Args:
        pairs: those that are possible, each once, with shares above 0.
    """
    if not len(pairs.rows):
        return pairs
    contested = (np.bincount(pairs.rows)[pairs.rows] > 1) | (np.bincount(pairs.columns)[pairs.columns] > 1)
    if not contested.any():
        return pairs
    open_ = pairs.only(contested)
    left, row = np.unique(open_.rows, return_inverse=True)
    right, column = np.unique(open_.columns, return_inverse=True)
    gains = np.zeros((len(left), len(right)))
    gains[row, column] = open_.shares
    if len(left) <= len(right):
        chosen = _hungarian(-gains)[row] == column
    else:
        chosen = _hungarian(-gains.T)[column] == row
    taken = ~contested
    taken[contested] = chosen
    return pairs.only(taken)


def _hungarian(costs: Array) -> Array:
    """Give the column of each row, so that the sum of costs is the least: (N, M), N <= M."""
    rows, columns = costs.shape
    # Index 0 is a column that stands for "the row that is being placed"; the true ones begin at 1.
    row_price, column_price = np.zeros(rows + 1), np.zeros(columns + 1)
    holder = np.zeros(columns + 1, np.int64)
    for row in range(1, rows + 1):
        holder[0], at = row, 0
        way = np.zeros(columns + 1, np.int64)
        slack = np.full(columns + 1, np.inf)
        visited = np.zeros(columns + 1, bool)
        while holder[at]:
            visited[at] = True
            here = holder[at]
            cost = np.concatenate([[np.inf], costs[here - 1] - row_price[here] - column_price[1:]])
            nearer = (cost < slack) & ~visited
            slack[nearer], way[nearer] = cost[nearer], at
            following = int(np.where(visited, np.inf, slack).argmin())
            step = slack[following]
            row_price[holder[visited]] += step
            column_price[visited] -= step
            slack[~visited] -= step
            at = following
        while at:
            holder[at] = holder[way[at]]
            at = int(way[at])
    found = np.zeros(rows, np.int64)
    held = np.flatnonzero(holder[1:])
    found[holder[1:][held] - 1] = held
    return found
