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
    # Most pairs of a frame are far apart: only those that touch are computed. To find these, float32 will do.
    top, left, bottom, right = np.ascontiguousarray(one.T, np.float32)[:, :, None]
    far = np.ascontiguousarray(other.T, np.float32)
    touch = (top < far[2]) & (bottom > far[0]) & (left < far[3]) & (right > far[1])
    rows, columns = np.divmod(np.flatnonzero(touch), max(1, len(other)))
    a, b = one.take(rows, axis=0), other.take(columns, axis=0)
    sides = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
    common = _areas(np.maximum(sides, 0.0))
    union = _areas(a[:, 2:] - a[:, :2]) + _areas(b[:, 2:] - b[:, :2]) - common
    return Pairs(rows, columns, common / np.where(union > 0, union, 1.0))


def _areas(sides: Array) -> Array:
    areas: Array = sides[:, 0] * sides[:, 1]
    return areas


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
    row, column = _numbered(pairs.rows[contested]), _numbered(pairs.columns[contested])
    gains = np.zeros((row.max() + 1, column.max() + 1))
    gains[row, column] = pairs.shares[contested]
    if gains.shape[0] <= gains.shape[1]:
        chosen = _hungarian(-gains)[row] == column
    else:
        chosen = _hungarian(-gains.T)[column] == row
    taken = ~contested
    taken[contested] = chosen
    return pairs.only(taken)


def _numbered(names: Array) -> Array:
    """Number the different values from 0 in their order: (K,)."""
    numbers: Array = (np.cumsum(np.bincount(names) > 0) - 1)[names]
    return numbers


def _hungarian(costs: Array) -> Array:
    """Give the column of each row, so that the sum of costs is the least: (N, M), N <= M."""
    rows, columns = costs.shape
    row_price, column_price = costs.min(axis=1), np.zeros(columns)
    cheapest = costs.argmin(axis=1)
    # The first row that finds a column cheapest has it; often that places all of them.
    holder, backwards = np.full(columns, -1), np.arange(rows)[::-1]
    holder[cheapest[::-1]] = backwards
    for row in np.flatnonzero(holder[cheapest] != np.arange(rows)).tolist():
        _place(row, costs, row_price, column_price, holder)
    found = np.zeros(rows, np.int64)
    placed = np.flatnonzero(holder >= 0)
    found[holder[placed]] = placed
    return found


def _place(row: int, costs: Array, row_price: Array, column_price: Array, holder: Array) -> None:
    """Find the row a column along the cheapest way, on which others may move; prices stay below costs."""
    columns = len(column_price)
    slack, before = np.full(columns, np.inf), np.full(columns, -1)
    visited = np.zeros(columns, bool)
    at, here = -1, row
    while here >= 0:
        cost = costs[here] - row_price[here] - column_price
        nearer = (cost < slack) & ~visited
        slack[nearer], before[nearer] = cost[nearer], at
        following = int(np.where(visited, np.inf, slack).argmin())
        step = slack[following]
        row_price[row] += step
        row_price[holder[visited]] += step
        column_price[visited] -= step
        slack[~visited] -= step
        visited[following] = True
        at, here = following, int(holder[following])
    while at >= 0:
        source = int(before[at])
        holder[at] = row if source < 0 else holder[source]
        at = source
