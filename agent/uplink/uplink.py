"""The way up: the link to the broker and the delivery of results over it, as the supervisor sees them."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import orjson

from agent import __version__
from agent.errors import ConfigInvalid, LinkLost, MessageInvalid
from agent.events import Event, emit
from agent.link import topics
from agent.link.connection import LinkState
from agent.link.intake import Intake
from agent.link.mqtt import Link
from agent.link.settings import LinkDown, LinkMessage, LinkPublished, LinkSettings, LinkUp, Message
from agent.store.reports import Buffered, Committed, Leased, StoreRecovered
from agent.trust import keys as trust
from agent.uplink.credentials import Credentials
from agent.uplink.delivery import Delivery

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from agent.config.tables import Mqtt
    from agent.link.seams import Line, Outbox
    from agent.plan import Plan

_STALE_S = 60.0
_ATTEMPT_S = 600.0
"""An attempt to connect blocks the thread: nothing can end a name look-up, which takes minutes where no
server answers."""
_FAREWELL_S = 2.0
_CREDENTIAL = "mqtt-password"


class Uplink:
    """Owns the link's thread and the delivery.

    Args:
        plan: says who we are and which broker there is; it must name one.
        store: where batches come from.
        post: where the link's thread leaves its events; they come back through ``take``.
        connect: makes the link, given what ``Link`` is given.

    Attributes:
        credentials: what the broker is shown; None where that is no certificate.
        online: whether the link is up.
    """

    def __init__(
        self,
        plan: Plan,
        store: Outbox,
        post: Callable[[object], None],
        connect: Callable[..., Line] = Link,
    ) -> None:
        mqtt = plan.settings.mqtt
        if mqtt is None:
            raise ValueError("there is no broker in the plan")
        ack_topic = topics.down_ack(mqtt.fleet, plan.device)
        self._state_topic = topics.up_state(mqtt.fleet, plan.device)
        settings = replace(
            link_settings(mqtt, plan.device, plan.folder),
            session_expiry_s=round(mqtt.session_h * 3600),
            manual_ack=True,
        )
        keys = trust.load(plan.settings.trust, plan.folder)
        self._signed = keys.signed
        self._broker = settings.broker
        heard = [ack_topic]
        if plan.managed:  # without models nobody would act on these
            heard += [topics.down_desired(mqtt.fleet, plan.device), topics.tuf_hint(mqtt.fleet)]
        self._commands = topics.commands(mqtt.fleet, plan.device, plan.settings.device.groups)
        heard += sorted(self._commands)
        shown = settings.cert_file, settings.key_file
        self.credentials = (
            Credentials(plan.data, plan.device, shown, settings.ca_file) if settings.cert_file else None
        )
        self._intake = Intake(post, heard, self.settle)
        self._link = connect(
            settings,
            post=self._intake.post,
            subscriptions=tuple((topic, 1) for topic in heard),
            birth=self._state(online=True),
            will=self._state(online=False),
            pair=self.credentials.pair if self.credentials else None,
        )
        if self.credentials:
            self.credentials.reconnect = self._link.reconnect
        self._delivery = Delivery(
            store,
            self._link,
            fleet=mqtt.fleet,
            device=plan.device,
            signer=keys.signer,
            verifier=keys.verifier,
            bytes_per_s=mqtt.max_bytes_per_s,
            resend_s=mqtt.resend_s,
        )
        self._protocol = ""
        self._problem = ""
        self.online = False

    def start(self) -> None:
        """Connect, and connect again whenever the link is lost."""
        self._link.start()

    def take(self, event: object, now: float) -> None:
        """Take in an event of the link or the store; others are ignored."""
        if self.credentials:
            self.credentials.take(event)
        match event:
            case LinkUp():
                self.online = True
                self._protocol, self._problem = event.protocol, ""
                self._delivery.on_link_up(event, now)
            case LinkDown():
                self.online = False
                self._problem = event.reason
                self._delivery.on_link_down()
            case LinkMessage():
                self._intake.taken(event)
                if event.topic not in self._commands:  # those wait until their command is durable
                    self.settle(event)
                self._delivery.on_message(event, now)
            case LinkPublished():
                self._delivery.on_published(event, now)
            case Committed():
                self._delivery.on_committed(event, now)
            case Buffered() | StoreRecovered():
                self._delivery.on_committed(None, now)
            case Leased():
                self._delivery.on_leased(event, now)

    def tick(self, now: float) -> None:
        """Look after what is overdue."""
        self._delivery.tick(now)

    def publish(self, topic: str, payload: bytes, retain: bool) -> int | None:  # noqa: FBT001 - Offer says so
        """Publish a message of QoS 1; give its token, None where the link does not take it."""
        if not self.online:
            return None
        try:
            return self._link.publish(topic, payload, retain=retain)
        except LinkLost:
            return None  # it is said again when the link is up
        except MessageInvalid as error:
            emit(Event.MESSAGE_REFUSED, topic, refusal=error.refusal, problem=error)
            return None

    def settle(self, message: LinkMessage) -> None:
        """Confirm a message to the broker."""
        self._link.settle(message)

    def due(self, now: float) -> float:
        """Seconds until ``tick`` should be called."""
        return self._delivery.due(now)

    @property
    def running(self) -> bool:
        """Whether the link's thread runs at all."""
        return self._link.alive

    def alive(self, now: float) -> bool:
        """Whether the link's thread does its work."""
        patience_s = _ATTEMPT_S if self._link.state is LinkState.CONNECTING else _STALE_S
        return self._link.alive and now - self._link.heartbeat < patience_s

    def status(self) -> dict[str, Any]:
        """For the status report."""
        delivery = self._delivery.status
        return {
            "state": self._link.state.value,
            "broker": self._broker,
            "protocol": self._protocol,
            "signed": self._signed,
            "problem": self._problem,
            "batches_sent": delivery.sent,
            "batches_resent": delivery.resent,
            "batches_in_flight": delivery.in_flight,
            "blocked": delivery.blocked,
            "unheard_s": delivery.unheard_s,
            "silent": delivery.silent,
            "live_p95_ms": delivery.live_p95_ms,
            "rate": delivery.rate,
            "streams": {stream: asdict(one) for stream, one in delivery.streams.items()},
        }

    @property
    def sent_bytes(self) -> int:
        """Bytes of results and alerts that were published since the start."""
        return sum(one.sent_bytes for name, one in self._delivery.status.streams.items() if name != "metric")

    def close(self) -> None:
        """Say goodbye, if anybody listens, and end the thread."""
        farewell = self._state(online=False)
        try:
            self._link.publish(farewell.topic, farewell.payload, retain=True)
        except LinkLost as lost:  # then the broker's own word, our last will, stands
            emit(Event.LINK_LOST, self._broker, reason=lost.problem)
        self._link.close(_FAREWELL_S)

    def _state(self, *, online: bool) -> Message:
        body = {"v": 1, "online": online, "version": __version__}
        return Message(self._state_topic, orjson.dumps(body), qos=1, retain=True)


def link_settings(mqtt: Mqtt, device: str, folder: Path) -> LinkSettings:
    """Say to the link what the configuration says of the broker.

    Raises:
        ConfigInvalid: the credential cannot be read.
    """
    named = {"mqtt-ca": mqtt.ca_file, "mqtt-certificate": mqtt.cert_file, "mqtt-key": mqtt.key_file}
    ca_file, cert_file, key_file = (_file(credential, name, folder) for credential, name in named.items())
    return LinkSettings(
        host=mqtt.host,
        port=mqtt.port,
        client_id=f"{mqtt.fleet}-{device}",
        protocol=mqtt.protocol,
        keepalive_s=mqtt.keepalive_s,
        backoff_cap_s=mqtt.reconnect_max_s,
        username=mqtt.username,
        password=_credential() or mqtt.password.get_secret_value(),
        tls=mqtt.tls or bool(ca_file),
        ca_file=ca_file,
        cert_file=cert_file,
        key_file=key_file,
    )


def _file(credential: str, name: str, folder: Path) -> str:
    """Give the file of a systemd credential, or the one that the configuration names; "" for none."""
    passed = trust.credential(credential)
    return str(passed) if passed else str(folder / name) if name else ""


def _credential() -> str:
    """The password from systemd's LoadCredential=, if it was given one."""
    path = trust.credential(_CREDENTIAL)
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        hint = f"Check the file that LoadCredential={_CREDENTIAL} names"
        raise ConfigInvalid("read credential", str(path), str(error), hint) from error
