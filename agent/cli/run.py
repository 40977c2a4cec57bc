"""edge-agent run: the agent itself, in the foreground; a service manager keeps it alive."""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING

from agent import journal
from agent.cli.device import service
from agent.cli.device.settings import Loaded
from agent.cli.running.lives import Life, OwnFiles, overlaid
from agent.configuring.start import Start
from agent.errors import EXIT_FAILED, AgentError, StoreBusy
from agent.processes import memory
from agent.supervision.signals import KeptSignals

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from agent.activation.site import Site
    from agent.plan import Plan
    from agent.slots import Kept
    from agent.store.settings import StoreSettings

_READ_S, _PAUSE_S = 10.0, 0.5
"""How long to try to read what is kept of models, and between two tries."""
_CLOSE_S = 5.0
"""How long to go on trying to save what a refusing disk has not taken yet."""

HELP = "run the pipelines of a configuration until stopped"
DESCRIPTION = """\
Runs every pipeline of the configuration in a worker process of its own, keeps their results in the data
folder and delivers them to the broker when there is one. Stops cleanly on SIGTERM and SIGINT; a second
signal leaves at once. What was not delivered waits for the next start."""
EPILOG = """\
examples:
  edge-agent run --config agent.toml
  EDGE_AGENT__MQTT__HOST=broker.example edge-agent run --config agent.toml
  edge-agent run --config batch.toml --exit-when-ended    # recordings only

exit codes: 0 stopped, 1 failed, 2 usage, 78 the configuration must be changed first"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    service.add_config(parser)
    parser.add_argument("--exit-when-ended", action="store_true", help="stop when every source is over")


def main(arguments: argparse.Namespace) -> int:
    """Run until stopped; give the exit code."""
    memory.one_arena()
    files = OwnFiles()
    os.umask(0o077)  # what the agent writes is nobody else's business, also where the folder lets others in
    life = Life(Loaded(arguments.config), Start())
    plan = life.file.plan()
    logging.basicConfig(level=plan.settings.log.level.upper(), handlers=[journal.handler("edge-agent")])
    with KeptSignals() as kept_signals:
        while True:
            code = _survived(life, kept_signals, once=arguments.exit_when_ended)
            if life.following is None:
                return code
            files.check()
            life = life.following


def _survived(life: Life, kept_signals: KeptSignals, *, once: bool) -> int:
    """Live one life; one that cannot even begin anew is followed by one as before."""
    try:
        return _live(life, kept_signals, once=once)
    except AgentError as error:
        if life.begun or (start := life.start.instead(str(error))) is None or life.before is None:
            raise
        life.following = Life(life.before, start)
        return EXIT_FAILED


def _live(life: Life, kept_signals: KeptSignals, *, once: bool) -> int:
    """Live from the lock on the data folder to its release; give the exit code."""
    from agent import events
    from agent.alerts import Alerts
    from agent.cli.running.wiring import Wiring
    from agent.clock import SystemClock
    from agent.confinement.confine import close_memory
    from agent.store.folder import DataFolder
    from agent.store.thread import Store
    from agent.supervision.mailbox import Mailbox
    from agent.supervision.supervisor import Supervisor
    from agent.supervision.tunings import with_tunings

    plan = life.file.plan()
    with DataFolder(plan.data, plan.device) as folder:
        clock = SystemClock()
        managed = plan.managed
        patience_s = _READ_S if managed else 0.0
        kept = _kept(plan.data, patience_s, vital=not all(spec.model for spec in plan.lanes))
        overlay = overlaid(life.file, plan, life.start, kept, clock)
        plan = with_tunings(overlay.plan, kept.tuned if kept else ())
        logging.getLogger().setLevel(plan.settings.log.level.upper())
        mailbox = Mailbox()
        store = Store(plan.data, mailbox.post, clock=clock, settings=_limits(plan), take=folder.take)
        begun = memory.settle()  # before there are threads
        wiring = Wiring(
            loaded=overlay.loaded,
            plan=plan,
            site=_site(plan) if managed else None,
            kept=kept,
            store=store,
            clock=clock,
            life=life,
            overlay=overlay,
            begun=begun,
        )
        try:
            with events.heard_by(Alerts(mailbox.post)):
                store.start()
                close_memory()  # the store has opened its count of bytes by now: from here on that is root's
                kept_signals.attach(mailbox)
                supervisor = Supervisor(
                    plan,
                    store,
                    mailbox,
                    explain=overlay.loaded.explain(),
                    intact=lambda: folder.intact,
                    partners=wiring.partners,
                    exit_when_ended=once,
                )
                life.begun = True
                code = supervisor.run()
                if not supervisor.again:
                    life.following = None
        finally:
            kept_signals.detach()
            saved = store.close(_CLOSE_S)
            mailbox.close()
    return code if saved else code or EXIT_FAILED


def _site(plan: Plan) -> Site | None:
    """Say whose models are taken; not loaded where that is nobody's."""
    from agent.activation.site import site

    return site(plan)


def _limits(plan: Plan) -> StoreSettings:
    """Say how the store gathers records, and how much it may take."""
    from agent.store.settings import StoreSettings

    return StoreSettings(
        commit_interval_s=plan.settings.store.commit_interval_s,
        block_results=plan.settings.store.block_results,
        segment_bytes=plan.settings.store.segment_bytes,
        max_bytes=plan.settings.store.max_bytes,
        max_age_s=plan.settings.store.max_age_h * 3600,
        memory_bytes=plan.settings.store.memory_bytes,
        ballast_bytes=plan.settings.store.ballast_bytes,
        media_bytes=plan.settings.store.media_max_bytes,
    )


def _kept(folder: Path, patience_s: float = _READ_S, *, vital: bool = False) -> Kept | None:
    """Give what is kept of models; None while the disk cannot be read.

    Then what is configured serves, and nothing is decided about models until the next start: without floors
    and slots an old desired state would pass for a new one.

    Raises:
        StoreBusy: where it is ``vital``, since a pipeline has no other model.
    """
    from agent.events import Event, emit
    from agent.store.kept import read_kept

    give_up = time.monotonic() + patience_s
    while True:
        try:
            return read_kept(folder)
        except StoreBusy as error:
            emit(Event.STORE_FAILED, str(folder), problem=error)
            if time.monotonic() >= give_up:
                if vital:
                    raise
                return None
        time.sleep(_PAUSE_S)
