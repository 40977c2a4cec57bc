"""Puts the supervisor's partners together: who decides about models, about commands, and the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent import trust
from agent.activation.manager import Activation
from agent.cli.secrets_known import known
from agent.dispatch.manager import Dispatch
from agent.dispatch.parts import Shipping
from agent.dispatch.pipelines import Pipelines
from agent.dispatch.rules import Rules
from agent.dispatch.spool import FOLDER
from agent.errands.data import Data
from agent.errands.logs import Logs, Sender
from agent.errands.pictures import Pictures
from agent.errands.programs import Programs
from agent.link import topics
from agent.partners import Partners
from agent.reach import Reach
from agent.redaction import Redactor

if TYPE_CHECKING:
    from agent.activation.site import Site
    from agent.cli.settings import Loaded
    from agent.clock import Clock
    from agent.partners import Offer, Partner
    from agent.plan import Plan
    from agent.signing import Signer
    from agent.slots import Kept
    from agent.store.thread import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """What there is before the supervisor is made; ``partners`` is what it calls.

    Attributes:
        loaded: the configuration, as it was read.
        plan: what follows from it.
        site: whose models are taken; None where no operator's models are wanted.
        kept: what the store held at the start; None where it could not be read.
        store: writes changes.
        clock: where time comes from.
    """

    loaded: Loaded
    plan: Plan
    site: Site | None
    kept: Kept | None
    store: Store
    clock: Clock

    def partners(self, offer: Offer) -> Partners:
        """Make them."""
        models = self._models(offer)
        shipping, logs = self._shipping(offer), self._logs(offer)
        dispatch = self._dispatch(offer, models, shipping, logs)
        others: list[Partner] = [dispatch, logs, shipping]
        return Partners(models, others, {**dispatch.answers, "log": logs.answer})

    def _models(self, offer: Offer) -> Activation | None:
        if self.site is None or self.kept is None:
            return None
        publish = offer.publish
        return Activation(self.site, self.kept, offer.lanes, self.store, clock=self.clock, publish=publish)

    def _shipping(self, offer: Offer) -> Shipping:
        mqtt = self.plan.mqtt
        return Shipping(
            self.plan.data,
            fleet=mqtt.fleet if mqtt else "default",
            device=self.plan.device,
            signer=self._signer(),
            publish=offer.publish,
            online=offer.online,
            bytes_per_s=mqtt.max_bytes_per_s if mqtt else 0,
            now=self.clock.monotonic(),
        )

    def _logs(self, offer: Offer) -> Logs:
        mqtt, device = self.plan.mqtt, self.plan.device
        sender = None
        if mqtt is not None:
            topic = topics.up_logs(mqtt.fleet, device)
            sender = Sender(mqtt.fleet, device, topic, self._signer(), offer.publish)
        return Logs(self.plan.settings.log.level, Redactor(known(self.loaded)), sender, self.clock)

    def _signer(self) -> Signer | None:
        return trust.load(self.plan.settings.trust, self.plan.folder).signer if self.plan.mqtt else None

    def _bundles_needed(self, models: Activation | None) -> set[str] | None:
        """None while that is not to be said: some are being fetched, or the slots could not be read."""
        if self.site is None:
            return set()
        if models is None or models.fetches:
            return None
        return {row.bundle for one in models.courses for row in one.held.rows}

    def _dispatch(self, offer: Offer, models: Activation | None, shipping: Shipping, logs: Logs) -> Dispatch:
        settings, mqtt = self.plan.settings, self.plan.mqtt
        fleet, groups = mqtt.fleet if mqtt else "default", settings.device.groups
        return Dispatch(
            rules=Rules(
                fleet,
                self.plan.device,
                groups=groups,
                table=settings.commands,
                authority=models,
                clock=self.clock,
            ),
            groups=groups,
            kept=self.kept,
            store=self.store,
            clock=self.clock,
            reach=self._reach(offer, models, logs),
            offer=offer,
            signer=self._signer(),
            shipping=shipping,
        )

    def _reach(self, offer: Offer, models: Activation | None, logs: Logs) -> Reach:
        """Say what commands can reach; a part that is made elsewhere has its line here."""
        return Reach(
            device=self.plan.device,
            status=offer.status,
            lanes=Pipelines(offer.lanes, self.clock),
            models=models.back if models else None,
            logs=logs,
            programs=Programs(self.loaded.path.absolute(), self.plan.data / FOLDER, self.clock),
            pictures=Pictures(
                offer.lanes,
                {one.name: one.remote_snapshots for one in self.plan.settings.pipelines},
                self.plan.data / FOLDER,
                self.clock,
            ),
            data=Data(self.store, self.plan.models, lambda: self._bundles_needed(models)),
        )
