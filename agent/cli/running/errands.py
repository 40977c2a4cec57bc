"""Puts together what commands reach that takes a while: programs, pictures, the log, data, files upstream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.cli.device.secrets_known import known
from agent.dispatch.parts import Shipping
from agent.dispatch.spool import FOLDER
from agent.errands.data import Data
from agent.errands.logs import Logs, Sender
from agent.errands.pictures import Pictures
from agent.errands.programs import Programs
from agent.link import topics
from agent.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.activation.manager import Activation
    from agent.cli.device.settings import Loaded
    from agent.clock import Clock
    from agent.plan import Plan
    from agent.store.thread import Store
    from agent.supervision.partners import Offer
    from agent.trust.signing import Signer


@dataclass(frozen=True, slots=True, kw_only=True)
class Errands:
    """The parts; ``shipping`` and ``logs`` are partners of the supervisor, too."""

    shipping: Shipping
    logs: Logs
    programs: Programs
    pictures: Pictures
    data: Data


def errands(
    plan: Plan,
    loaded: Loaded,
    offer: Offer,
    store: Store,
    clock: Clock,
    *,
    signer: Signer | None,
    bundles: Callable[[], set[str] | None],
) -> Errands:
    """Make them.

    Args:
        plan: what the agent runs.
        loaded: the configuration, as it was read: programs read it, too.
        offer: the supervisor's.
        store: deletes what is to be purged.
        clock: where time comes from.
        signer: the device's key; None where nothing is signed.
        bundles: gives the digests of bundles that must stay; None while that is not to be said.
    """
    mqtt, device, spool = plan.mqtt, plan.device, plan.data / FOLDER
    fleet = mqtt.fleet if mqtt else "default"
    shipping = Shipping(
        plan.data,
        fleet=fleet,
        device=device,
        signer=signer,
        publish=offer.publish,
        online=offer.online,
        bytes_per_s=mqtt.max_bytes_per_s if mqtt else 0,
        now=clock.monotonic(),
    )
    sender = Sender(fleet, device, topics.up_logs(fleet, device), signer, offer.publish) if mqtt else None
    allowed = {one.name: one.remote_snapshots for one in plan.settings.pipelines}
    return Errands(
        shipping=shipping,
        logs=Logs(plan.settings.log.level, Redactor(known(loaded)), sender, clock),
        programs=Programs(loaded.path.absolute(), spool, clock),
        pictures=Pictures(offer.lanes, allowed, spool, clock),
        data=Data(store, plan.models, bundles),
    )


def bundles_needed(models: Activation | None, *, managed: bool) -> set[str] | None:
    """Give the digests of the bundles that pipelines run, would go back to or are on their way to.

    None while that is not to be said: some are being fetched, or the slots could not be read.
    """
    if not managed:
        return set()
    if models is None or any(course.asks for course in models.courses):
        return None
    return {row.bundle for one in models.courses for row in one.held.rows}
