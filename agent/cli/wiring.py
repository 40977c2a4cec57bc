"""Puts the supervisor's partners together: who decides about models, about commands, and the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent import trust
from agent.activation.manager import Activation
from agent.dispatch.manager import Dispatch
from agent.dispatch.pipelines import Pipelines
from agent.dispatch.rules import Rules
from agent.home_assistant.partner import home_assistant
from agent.host.machine import helped
from agent.host.trial import Trial
from agent.partners import Partners
from agent.reach import Reach

if TYPE_CHECKING:
    from agent.activation.site import Site
    from agent.cli.settings import Loaded
    from agent.clock import Clock
    from agent.partners import Offer, Partner
    from agent.plan import Plan
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
        dispatch = self._dispatch(offer, models)
        others: list[Partner] = [
            dispatch,
            Trial(helped(self.plan, offer, self.clock), offer),
            *home_assistant(self.plan, offer),
        ]
        return Partners(models, others, dispatch.answers)

    def _models(self, offer: Offer) -> Activation | None:
        if self.site is None or self.kept is None:
            return None
        publish = offer.publish
        return Activation(self.site, self.kept, offer.lanes, self.store, clock=self.clock, publish=publish)

    def _dispatch(self, offer: Offer, models: Activation | None) -> Dispatch:
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
            reach=self._reach(offer, models),
            offer=offer,
            signer=trust.load(settings.trust, self.plan.folder).signer if mqtt else None,
        )

    def _reach(self, offer: Offer, models: Activation | None) -> Reach:
        """Say what commands can reach; a part that is made elsewhere has its line here."""
        return Reach(
            device=self.plan.device,
            status=offer.status,
            lanes=Pipelines(offer.lanes, self.clock),
            models=models.back if models else None,
            machine=helped(self.plan, offer, self.clock),
        )
