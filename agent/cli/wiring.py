"""Puts the supervisor's partners together: who decides about models, about commands, and the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.activation.manager import Activation
from agent.dispatch.pipelines import Pipelines
from agent.home_assistant.partner import home_assistant
from agent.host.machine import Helped
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
        plan = self.plan
        machine = Helped(
            plan.settings.host,
            plan.data,
            offer.lanes,
            base=plan.folder,
            boot=self.clock.boot,
            online=offer.online,
        )
        self._reach(offer, models, machine)
        others: list[Partner] = [Trial(machine, offer), *home_assistant(plan, offer)]
        return Partners(models, others)

    def _models(self, offer: Offer) -> Activation | None:
        if self.site is None or self.kept is None:
            return None
        publish = offer.publish
        return Activation(self.site, self.kept, offer.lanes, self.store, clock=self.clock, publish=publish)

    def _reach(self, offer: Offer, models: Activation | None, machine: Helped) -> Reach:
        """Say what commands can reach; a part that is made elsewhere has its line here."""
        return Reach(
            device=self.plan.device,
            status=offer.status,
            lanes=Pipelines(offer.lanes, self.clock),
            models=models.back if models else None,
            machine=machine,
        )
