"""Puts the supervisor's partners together: who decides about models, about commands, and the rest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agent.cli.device.settings import Loaded
from agent.cli.running.errands import bundles_needed, errands
from agent.commands.seams import Reach
from agent.configuring.manager import Configuring
from agent.dispatch.manager import Dispatch
from agent.dispatch.pipelines import Pipelines
from agent.dispatch.rules import Rules
from agent.host.machine import helped
from agent.host.trial import Trial
from agent.maintenance import Maintenance
from agent.supervision.orphans import orphans
from agent.supervision.partners import Partners
from agent.supervision.settled import Settled
from agent.trust import keys as trust

if TYPE_CHECKING:
    from agent.activation.manager import Activation
    from agent.activation.site import Site
    from agent.cli.running.errands import Errands
    from agent.cli.running.lives import Life, Overlay
    from agent.clock import Clock
    from agent.dispatch.parts import Shipping
    from agent.host.machine import Helped
    from agent.plan import Plan
    from agent.processes.memory import Ranges
    from agent.slots import Kept
    from agent.store.thread import Store
    from agent.supervision.partners import Offer, Partner
    from agent.trust.signing import Signer


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
        life: this one of the agent's.
        overlay: what it runs.
        begun: what ``memory.settle`` gave.
    """

    loaded: Loaded
    plan: Plan
    site: Site | None
    kept: Kept | None
    store: Store
    clock: Clock
    life: Life
    overlay: Overlay
    begun: Ranges = ()

    def partners(self, offer: Offer) -> Partners:
        """Make them."""
        models = self._models(offer)
        plan = self.plan
        machine = helped(plan, offer, self.clock)
        signer = self._signer()
        configuring = self._configuring(offer, models)
        made = errands(
            plan,
            self.loaded,
            offer,
            self.store,
            self.clock,
            signer=signer,
            bundles=lambda: bundles_needed(models, managed=self.site is not None),
        )
        reach = self._reach(offer, models, configuring, machine, made)
        dispatch = self._dispatch(offer, models, reach, made.shipping, signer)
        others: tuple[Partner | None, ...] = (
            dispatch,
            made.shipping,
            made.logs,
            configuring,
            Trial(machine, offer),
            Settled(self.begun),
            orphans(),
            *self._with_a_broker(offer),
        )
        answers = {**dispatch.answers, "log": made.logs.answer}
        return Partners(models, [one for one in others if one], answers, lambda: {"commands": dispatch.held})

    def _models(self, offer: Offer) -> Activation | None:
        if self.site is None or self.kept is None:
            return None
        from agent.activation.manager import (
            Activation,  # heavy, as all that is imported here where it is used
        )

        publish, shown = offer.publish, offer.credentials
        site = replace(self.site, pair=shown.pair) if shown else self.site
        return Activation(site, self.kept, offer.lanes, self.store, clock=self.clock, publish=publish)

    def _signer(self) -> Signer | None:
        return trust.load(self.plan.settings.trust, self.plan.folder).signer if self.plan.mqtt else None

    def _dispatch(
        self,
        offer: Offer,
        models: Activation | None,
        reach: Reach,
        shipping: Shipping,
        signer: Signer | None,
    ) -> Dispatch:
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
            reach=reach,
            offer=offer,
            signer=signer,
            shipping=shipping,
            waits=lambda: models.maintenance.waits if models else "",
        )

    def _configuring(self, offer: Offer, models: Activation | None) -> Configuring[Loaded] | None:
        if self.kept is None:
            return None
        found = Configuring(
            file=self.life.file,
            back=self.life.before,
            read=lambda: Loaded(self.life.file.path),
            plan=self.plan,
            start=self.life.start,
            running=self.overlay.layers,
            unfit=self.overlay.unfit,
            kept=self.kept,
            store=self.store,
            offer=offer,
            clock=self.clock,
            maintenance=models.maintenance if models else Maintenance(self.clock),
            again=self.life.again,
            busy=lambda: models is not None and models.busy,
        )
        if models:
            models.hears(found.want, found.told)
        return found

    def _with_a_broker(self, offer: Offer) -> list[Partner]:
        plan = self.plan
        if plan.mqtt is None:
            return []
        from agent.home_assistant.partner import home_assistant
        from agent.supervision.vitals import VitalSigns

        return [VitalSigns(plan, plan.mqtt, offer, self.clock), *home_assistant(plan, offer)]

    def _reach(
        self,
        offer: Offer,
        models: Activation | None,
        configuring: Configuring[Loaded] | None,
        machine: Helped,
        made: Errands,
    ) -> Reach:
        """Say what commands can reach; a part that is made elsewhere has its line here."""
        return Reach(
            device=self.plan.device,
            status=offer.status,
            lanes=Pipelines(offer.lanes, self.clock),
            models=models.back if models else None,
            configuration=configuring,
            credentials=offer.credentials,
            machine=machine,
            logs=made.logs,
            programs=made.programs,
            pictures=made.pictures,
            data=made.data,
        )
