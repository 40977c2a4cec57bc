"""The discovery message: one for the whole device, with a component for each sensor. Pure.

The format is that of https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload, its keys
written out: ``device``, ``origin`` and ``components`` are required, and of each component ``platform`` and
``unique_id``. What is shared stands beside them: the topic of the state, and how to tell that it holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent import __version__
from agent.link import topics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_PIPELINES = 32
"""Pipelines that are shown: the message must fit into a packet."""
_GAUGE = {"state_class": "measurement"}
_ASIDE = {"entity_category": "diagnostic"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What is shown.

    Attributes:
        fleet, device: who we are.
        board: the device profile's name.
        pipelines: their names, in the configuration's order.
        every_s: seconds between two states.
        prefix: the discovery prefix.
    """

    fleet: str
    device: str
    board: str
    pipelines: Sequence[str]
    every_s: float
    prefix: str

    @property
    def topic(self) -> str:
        """Where the discovery message goes."""
        return f"{self.prefix}/device/{self.device}/config"


def message(shown: Shown, gone: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Make the message; ``gone`` are components that were shown before, by name with their platform."""
    parts: dict[str, Any] = components(shown)
    # A component with nothing but its platform is removed; one that is only left out would stay.
    parts |= {name: {"platform": platform} for name, platform in (gone or {}).items()}
    return {
        "device": {
            "identifiers": [f"edge-agent-{shown.fleet}-{shown.device}"],
            "name": shown.device,
            "manufacturer": "Edge Agent",
            "model": shown.board,
            "sw_version": __version__,
        },
        "origin": {"name": "edge-agent", "sw_version": __version__},
        "state_topic": topics.up_ha(shown.fleet, shown.device),
        "availability": [
            {
                "topic": topics.up_state(shown.fleet, shown.device),
                "value_template": "{{ 'online' if value_json.online else 'offline' }}",
            }
        ],
        "qos": 1,
        "components": parts,
    }


def components(shown: Shown) -> dict[str, dict[str, Any]]:
    """Give all components: of the device, and of each pipeline."""
    start = f"edge-agent-{shown.fleet}-{shown.device}"
    shared = {"expire_after": max(60, round(5 * shown.every_s))}
    found: dict[str, dict[str, Any]] = dict(_of_device())
    for pipeline in shown.pipelines[:MOST_PIPELINES]:
        found |= _of_pipeline(pipeline)
    return {
        name: {"platform": "sensor", "unique_id": f"{start}-{name}", **shared, **part}
        for name, part in found.items()
    }


def _of_device() -> dict[str, dict[str, Any]]:
    return {
        "temperature": {
            "name": "Temperature",
            "device_class": "temperature",
            "unit_of_measurement": "°C",
            "value_template": "{{ value_json.temperature_c }}",
            **_GAUGE,
            **_ASIDE,
        },
        "backlog": {
            "name": "Backlog",
            "unit_of_measurement": "records",
            "value_template": "{{ value_json.backlog }}",
            **_GAUGE,
            **_ASIDE,
        },
        "uptime": {
            "name": "Uptime",
            "device_class": "duration",
            "unit_of_measurement": "s",
            "value_template": "{{ value_json.uptime_s }}",
            **_ASIDE,
        },
    }


def _of_pipeline(pipeline: str) -> dict[str, dict[str, Any]]:
    # A name holds nothing that a template or a quoted text in it could mistake: see topics.NAME_PATTERN.
    value = f"value_json.pipelines['{pipeline}']"
    return {
        f"{pipeline}-label": {"name": f"{pipeline} label", "value_template": f"{{{{ {value}.label }}}}"},
        f"{pipeline}-count": {
            "name": f"{pipeline} count",
            "value_template": f"{{{{ {value}.count }}}}",
            **_GAUGE,
        },
        f"{pipeline}-state": {
            "name": f"{pipeline} state",
            "value_template": f"{{{{ {value}.state }}}}",
            **_ASIDE,
        },
        f"{pipeline}-rate": {
            "name": f"{pipeline} rate",
            "unit_of_measurement": "fps",
            "value_template": f"{{{{ {value}.fps }}}}",
            **_GAUGE,
            **_ASIDE,
        },
        f"{pipeline}-inference": {
            "name": f"{pipeline} inference",
            "device_class": "duration",
            "unit_of_measurement": "ms",
            "value_template": f"{{{{ {value}.p99_ms }}}}",
            **_GAUGE,
            **_ASIDE,
        },
        f"{pipeline}-problem": {
            "platform": "binary_sensor",
            "name": f"{pipeline} problem",
            "device_class": "problem",
            "value_template": f"{{{{ {value}.problem }}}}",
            **_ASIDE,
        },
    }
