"""What today's policy says of models, and how many results are as it wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent.activation.alignment import WHYS, Alignment
from agent.bundles.load import read_manifest
from agent.errors import BundleRefused, ManifestInvalid
from agent.metrics import number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from agent.config.pipelines import Pipeline
    from agent.documents.policy import Policy
    from agent.slots import SlotRow


class Approval:
    """Judges bundles by the policy in force, and counts results by it.

    Args:
        bundles: the folder of bundles.
        pipelines: as they are configured.
    """

    def __init__(self, bundles: Path, pipelines: Sequence[Pipeline]) -> None:
        self._bundles = bundles
        self._policy: Policy | None = None
        self._known: dict[str, BundleRefused | None] = {}
        self._withdrawn: frozenset[str] = frozenset()
        self._counts = {one.name: Alignment(one) for one in pipelines}

    @property
    def policy(self) -> Policy | None:
        """The policy in force."""
        return self._policy

    @policy.setter
    def policy(self, policy: Policy | None) -> None:
        self._policy = policy
        self._known.clear()

    def withdraw(self, bundles: Iterable[str]) -> None:
        """Take in which of the bundles that serve the update metadata no longer vouches for."""
        self._withdrawn = frozenset(bundles)

    def judge(self, row: SlotRow) -> BundleRefused | None:
        """Say why a bundle may not serve as of today; None when it may."""
        return self._judged(row.bundle)

    def _judged(self, bundle: str) -> BundleRefused | None:
        if bundle in self._withdrawn:
            problem = "revoked: the fleet's metadata no longer vouches for it"
            return BundleRefused("run bundle", bundle[:12], problem, "Deploy another model", rule="revoked")
        if bundle not in self._known:
            refusal = None
            try:
                if self._policy is not None:
                    self._policy.check(read_manifest(self._bundles / bundle, bundle))
            except BundleRefused as error:
                refusal = error
            except ManifestInvalid:
                return None  # whoever loads it says so
            self._known[bundle] = refusal
        return self._known[bundle]

    def count(self, pipeline: str, results: int, bundle: str | None, delegate: str) -> None:
        """Count results of a bundle; "" or None for a model that came in none."""
        approved = bool(bundle) and self._judged(bundle or "") is None
        self._counts[pipeline].count(results, approved=approved, delegate=delegate, policy=self._policy)

    def numbers(self, pipeline: str) -> Iterator[dict[str, Any]]:
        """Give the metrics of a pipeline's results."""
        counts = self._counts[pipeline]
        yield number("results_aligned_total", counts.aligned)
        for why in WHYS:
            yield number("results_unaligned_total", counts.unaligned[why], why=why)
        if counts.share is not None:
            yield number("policy_alignment", round(counts.share, 6))
