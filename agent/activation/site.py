"""What activation is given at the start: whose models it takes, from where, and where they lie."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from agent.activation.fetching import started
from agent.trust import keys as trust
from agent.workers.proof import Proof

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from agent.config.pipelines import Pipeline
    from agent.config.tables import Deadlines, Models
    from agent.plan import Plan
    from agent.processes.child import Child
    from agent.trust.signing import Signer
    from agent.workers.spec import LaneSpec


@dataclass(frozen=True, slots=True)
class Site:
    """One device's part in its fleet's models.

    Attributes:
        fleet: ours.
        device: ours.
        folder: where models lie: ``bundles/<digest>/`` and what the updater keeps.
        root: the root metadata that trust starts from, as text.
        signer: signs what is reported; None where nothing is signed.
        broker: fields of ``LinkSettings``; None without a broker.
        table: the configuration's ``[models]``.
        pipelines: as they are configured.
        specs: the same as their workers are told of them.
        deadlines: of the workers' phases.
        resident: whether workers keep both models in memory to swap.
        pair: gives the files of certificate and key to show to the broker now; None: those of ``broker``.
        prove: makes a proof of a model.
        fetch: starts an updater, with what it is to do.
    """

    fleet: str
    device: str
    folder: Path
    root: str
    signer: Signer | None
    broker: dict[str, Any] | None
    table: Models
    pipelines: tuple[Pipeline, ...]
    specs: tuple[LaneSpec, ...]
    deadlines: Deadlines
    resident: bool
    pair: Callable[[], tuple[str, str]] | None = None
    prove: Callable[[LaneSpec, Deadlines], Proof] = Proof
    fetch: Callable[[bytes], Child] = started

    @property
    def link(self) -> dict[str, Any] | None:
        """Fields of ``LinkSettings`` as of now; None without a broker."""
        if self.broker is None or self.pair is None:
            return self.broker
        cert_file, key_file = self.pair()
        return {**self.broker, "cert_file": cert_file, "key_file": key_file}

    @property
    def bundles(self) -> Path:
        """The folder of bundles."""
        return self.folder / "bundles"


def site(plan: Plan) -> Site | None:
    """Give what activation needs; None when no operator's models are wanted.

    Raises:
        ConfigInvalid: the root metadata or a key cannot be read.
    """
    root = trust.read_root(plan.settings.models, plan.folder)
    if root is None:
        return None
    from agent.uplink.uplink import (
        link_settings,  # a device that takes no operator's models may have no broker at all
    )

    mqtt = plan.mqtt
    return Site(
        fleet=mqtt.fleet if mqtt else "default",
        device=plan.device,
        folder=plan.models,
        root=root,
        signer=trust.load(plan.settings.trust, plan.folder).signer if mqtt else None,
        broker=asdict(link_settings(mqtt, plan.device, plan.folder)) if mqtt else None,
        table=plan.settings.models,
        pipelines=plan.settings.pipelines,
        specs=plan.lanes,
        deadlines=plan.deadlines,
        resident=plan.profile.swap == "resident",
    )
