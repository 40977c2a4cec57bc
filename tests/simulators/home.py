"""A household's Home Assistant, as far as a device can tell: it subscribes, and is strict about discovery.

The models say what https://www.home-assistant.io/integrations/mqtt/ asks of a device's discovery payload and
of its sensors; what is not there is refused.
"""

from __future__ import annotations

import queue
import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from agent.link.mqtt import Link
from agent.link.settings import LinkMessage
from tests.simulators.links import IMPATIENT

if TYPE_CHECKING:
    from collections.abc import Callable

Text = Annotated[str, Field(min_length=1, max_length=255)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Device(_Strict):
    """``device``: it needs identifiers or connections."""

    identifiers: Annotated[list[Text], Field(min_length=1)]
    name: Text
    manufacturer: Text
    model: Text
    sw_version: Text


class Origin(_Strict):
    """``origin``: its name is required."""

    name: Text
    sw_version: Text


class Availability(_Strict):
    """One topic that tells whether the device is there."""

    topic: Text
    value_template: Text


class Component(_Strict):
    """A sensor of a platform that is known."""

    platform: Literal["sensor", "binary_sensor"]
    unique_id: Text
    name: Text
    value_template: Annotated[str, Field(pattern=r"^\{\{ value_json\.[a-z0-9_.'\[\]-]+ \}\}$")]
    expire_after: Annotated[int, Field(gt=0)]
    device_class: Literal["temperature", "duration", "problem"] | None = None
    unit_of_measurement: Text | None = None
    state_class: Literal["measurement"] | None = None
    entity_category: Literal["diagnostic"] | None = None


class Discovery(_Strict):
    """A whole message."""

    device: Device
    origin: Origin
    state_topic: Text
    availability: list[Availability]
    qos: Literal[0, 1, 2]
    components: dict[Annotated[str, Field(pattern="^[a-zA-Z0-9_-]+$")], Component]


class Home:
    """Hears what is retained, and what comes; a context manager.

    Attributes:
        messages: all that came, in order: topic and payload.
    """

    def __init__(self, port: int, prefix: str = "homeassistant") -> None:
        self._queue: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._link = Link(
            replace(IMPATIENT, port=port, client_id="home"),
            post=self._queue.put,
            subscriptions=[(f"{prefix}/#", 1), ("edge/v1/+/d/+/up/ha", 1), ("edge/v1/+/d/+/up/state", 1)],
        )
        self.messages: list[tuple[str, bytes]] = []

    def __enter__(self) -> Self:
        self._link.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._link.close(0.5)

    def until(self, wanted: Callable[[str, bytes], bool], timeout_s: float = 60.0) -> bytes:
        """Give the payload of the next message that is wanted."""
        give_up = time.monotonic() + timeout_s
        while (left := give_up - time.monotonic()) > 0:
            try:
                event = self._queue.get(timeout=left)
            except queue.Empty:
                break
            if isinstance(event, LinkMessage):
                self._link.settle(event)
                self.messages.append((event.topic, event.payload))
                if wanted(event.topic, event.payload):
                    return event.payload
        raise AssertionError(f"it never came; what came: {self.messages[-5:]}")

    def discovered(self) -> Discovery:
        """Wait for a discovery message, and take it as strictly as it is meant."""
        payload = self.until(lambda topic, payload: topic.endswith("/config") and bool(payload))
        return TypeAdapter(Discovery).validate_json(payload)


def value(template: str, state: bytes) -> Any:
    """Give what a template of ours takes out of a state."""
    found = orjson.loads(state)
    for key in re.findall(r"[a-z0-9_-]+", template.removeprefix("{{ value_json").removesuffix("}}")):
        found = found[key]
    return found
