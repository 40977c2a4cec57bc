"""The program behind ``edgectl collect``: a link, a database, and the collector between them."""

from __future__ import annotations

import secrets
import signal
import sys
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import orjson

from agent.events import Event, counters, emit
from agent.fleet.collecting.collector import Collector
from agent.fleet.collecting.databases import open_warehouse, shown
from agent.fleet.collecting.greeting import PAUSE_S
from agent.fleet.collecting.inbox import Inbox
from agent.fleet.collecting.outlet import Outlet
from agent.fleet.keys import Keyring
from agent.link import batch, topics
from agent.link.mqtt import Link
from agent.link.settings import LinkMessage, LinkSettings, LinkUp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType

    from agent.fleet.collecting.outlet import Form
    from agent.link.versions import Choice

_A_WEEK_S = 7 * 86_400
_AN_HOUR_S = 3600
_SHARE = "$share/edgectl-collect/"
_TURN_S = 0.5
_BETWEEN_S = 0.005
"""How long to wait for a batch before some rows are made."""
_STATS_S = 2.0
_DRAIN_S = 3.0
_UNPACK_S = 10.0
"""So long it goes on making rows after a stop; what is left then waits for the next start."""
_RECONNECT_S = 5.0
"""One collector waits for its broker more eagerly than fifty thousand devices may."""
_KEEPALIVE_S = 10
_CONFIRM_S = 20.0
"""Acknowledgements are small: a broker that confirms none for so long is not there any more."""
_MOST_AT_ONCE = 64
"""Messages that go into one transaction."""
_MOST_BYTES = 4 << 20
"""Their bytes, about; unpacked they take several times as much."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    host: str
    port: int
    fleet: str
    to: str
    protocol: Choice
    username: str
    password: str
    tls: bool
    ca_file: str
    cert_file: str
    key_file: str
    as_json: bool
    keys: Path | None = None
    share: bool = False
    name: str = ""
    out: Form | None = None


class Program:
    """Runs the collector until it is stopped."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._shown = shown(options.to)
        shared = _SHARE if options.share else ""
        filters = [(f"{shared}{one}", 1) for one in topics.all_batches(options.fleet)]
        filters.append((topics.all_states(options.fleet), 1))
        self._inbox = Inbox()
        self._warehouse = open_warehouse(options.to)
        self._link = Link(_link_settings(options), post=self._inbox.post, subscriptions=filters)
        self._inbox.settle = self._link.settle
        keyring = Keyring(options.keys) if options.keys else None
        outlet = Outlet(options.out, options.fleet, stopping=lambda: self._stopping) if options.out else None
        self._collector = Collector(options.fleet, self._warehouse, self._link, keyring, outlet=outlet)
        self._status = sys.stderr if outlet else sys.stdout
        self._on_terminal = self._status.isatty() and not options.as_json
        self._stopping = False
        self._ready = False

    def run(self) -> None:
        """Collect until SIGTERM or SIGINT; then acknowledge what has come, and leave.

        Raises:
            FolderUnusable: the database is damaged.
            RuntimeError: the link's thread died: a bug.
        """
        emit(Event.COLLECTOR_STARTED, self._shown, fleet=self._options.fleet)
        with self._signals():
            try:
                self._link.start()
                self._serve()
            finally:
                self._link.close(_DRAIN_S)
                self._warehouse.close()
        emit(Event.COLLECTOR_STOPPED, self._shown)
        if self._on_terminal:
            print(file=self._status)  # below the line of counts
        self._say("stopped", **asdict(self._collector.totals), **_refusals())

    def _serve(self) -> None:
        stop_by = 0.0
        next_stats = time.monotonic() + _STATS_S
        more = True
        while True:
            wait_s = _BETWEEN_S if more else PAUSE_S if self._collector.greeting else _TURN_S
            events = self._inbox.take(wait_s, most=_MOST_AT_ONCE, most_bytes=_MOST_BYTES)
            now = time.monotonic()
            for event in events:
                if isinstance(event, LinkUp):
                    self._collector.on_link_up()
                    self._announce(event)
            self._collector.take([event for event in events if isinstance(event, LinkMessage)], now)
            more = self._collector.unpack(now, busy=bool(events))
            if not self._link.alive:
                raise RuntimeError("the link's thread died")
            if self._stopping:
                stop_by = stop_by or now + _DRAIN_S
                if (not events and self._collector.idle) or now > stop_by:
                    break
            if now >= next_stats and self._on_terminal:
                next_stats = now + _STATS_S
                print(f"\r{self._stats()}\x1b[K", end="", flush=True, file=self._status)
        self._unpack_rest()

    def _unpack_rest(self) -> None:
        give_up = time.monotonic() + _UNPACK_S
        while (now := time.monotonic()) < give_up and self._collector.unpack(now, busy=False):
            pass

    def _announce(self, up: LinkUp) -> None:
        if not self._ready:
            self._ready = True
            options = self._options
            broker = f"{options.host}:{options.port}"
            self._say("ready", broker=broker, protocol=up.protocol, fleet=options.fleet, to=self._shown)

    def _say(self, what: str, **facts: str | int) -> None:
        if self._options.as_json:
            line = orjson.dumps({"event": what, **facts}).decode()
        else:
            line = f"{what}: " + ", ".join(f"{key} {value}" for key, value in facts.items())
        print(line, flush=True, file=self._status)

    def _stats(self) -> str:
        totals = self._collector.totals
        state = self._link.state.value
        return (
            f"{state:<11} {totals.new:,} results in {totals.batches:,} batches; "
            f"{totals.duplicate:,} duplicate, {totals.refused:,} refused; "
            f"{totals.behind:,} to unpack "
        )

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Stop on SIGTERM and SIGINT."""
        before = {number: signal.signal(number, self._stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True
        self._inbox.wake()


def _refusals() -> dict[str, int]:
    """How many messages were refused, by the reason; reasons that never came are left out."""
    found: Counter[str] = Counter()
    for name, count in counters.items():
        if (place := name.partition("/"))[2]:
            found[f"refused_{place[2]}"] += count
    return dict(sorted(found.items()))


def _link_settings(options: Options) -> LinkSettings:
    return LinkSettings(
        host=options.host,
        port=options.port,
        client_id=_client_id(options),
        protocol="5" if options.share else options.protocol,
        username=options.username,
        password=options.password,
        tls=options.tls,
        ca_file=options.ca_file,
        cert_file=options.cert_file,
        key_file=options.key_file,
        session_expiry_s=_session_s(options),
        max_packet_in=batch.MAX_BATCH + (64 << 10),
        manual_ack=True,
        confirm_timeout_s=_CONFIRM_S,
        keepalive_s=_KEEPALIVE_S,
        backoff_cap_s=_RECONNECT_S,
    )


def _client_id(options: Options) -> str:
    """One that stays: the broker keeps what arrives for it. A sharer without a name keeps nothing."""
    own = options.name or (secrets.token_hex(6) if options.share else "")
    return f"edgectl-collect-{options.fleet}{'-' if own else ''}{own}"


def _session_s(options: Options) -> int:
    """How long the broker keeps our session: what it keeps for one sharer, no other gets."""
    if not options.share:
        return _A_WEEK_S
    return _AN_HOUR_S if options.name else 0
