"""Counts results by whether model, delegate and configuration are those that the fleet's policy wants."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from agent.config.pipelines import Pipeline
    from agent.documents.policy import Policy

Why = Literal["model", "delegate", "configuration"]
WHYS: tuple[Why, ...] = ("model", "delegate", "configuration")


class Alignment:
    """The results of one pipeline.

    A result is aligned when its model came in a bundle that the update metadata vouches for and that policy
    allows, when policy allows the delegate that ran it, and when the configuration lays no task, decoder or
    labels of its own over those of the bundle. Otherwise the first of these that is not so is its reason.

    Args:
        pipeline: as it is configured.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._own = bool(pipeline.task or pipeline.decoder or pipeline.labels)
        self.aligned = 0
        self.unaligned: dict[Why, int] = dict.fromkeys(WHYS, 0)

    def count(self, results: int, *, approved: bool, delegate: str, policy: Policy | None) -> None:
        """Count results.

        Args:
            results: how many.
            approved: whether their model is vouched for and allowed.
            delegate: what ran it.
            policy: the one in force.
        """
        why = self._why(approved, delegate, policy)
        if why is None:
            self.aligned += results
        else:
            self.unaligned[why] += results

    def _why(self, approved: bool, delegate: str, policy: Policy | None) -> Why | None:  # noqa: FBT001
        if not approved:
            return "model"
        allowed = None if policy is None else policy.delegates
        if allowed is not None and not any(fnmatchcase(delegate, one) for one in allowed):
            return "delegate"
        return "configuration" if self._own else None

    @property
    def share(self) -> float | None:
        """The share of aligned results, 0 to 1; None before the first."""
        every = self.aligned + sum(self.unaligned.values())
        return self.aligned / every if every else None
