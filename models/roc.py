"""How well scores tell two groups apart: the area under the receiver operating characteristic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from agent.types import Array


def auc(positive: Array, negative: Array) -> float:
    """Give the share of pairs in which the positive scores higher than the negative; ties count half.

    By the rank sum of Mann and Whitney, which gives the area (Hanley and McNeil, 1982): with R the sum of the
    positives' ranks among all, ties sharing their mean rank, it is (R - p (p + 1) / 2) / (p n).

    Args:
        positive: scores of what should score high, (p,).
        negative: scores of what should score low, (n,).

    Raises:
        ValueError: a group is empty, or a score is NaN.
    """
    scores = np.concatenate([positive, negative]).astype(np.float64)
    if not len(positive) or not len(negative) or np.isnan(scores).any():
        raise ValueError("an area needs numbers in both groups")
    _, which, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2)[which]
    pairs = len(positive) * len(negative)
    return float((ranks[: len(positive)].sum() - len(positive) * (len(positive) + 1) / 2) / pairs)
