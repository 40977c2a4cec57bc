"""What is amiss on a device, told from its report alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from agent.cli.reporting.deviations import IDS, deviations

NOW = 1_800_000_000.0
SOUND: dict[str, Any] = {
    "configuration": {"path": "agent.toml", "problem": None, "writable": False, "password_open": False},
    "trust": {
        "problem": None,
        "signed": True,
        "tls": True,
        "mirror": "https://mirror.example",
        "certificate": {"serial": "a", "until_s": NOW + 100 * 86400},
        "root": {"version": 1, "until_s": NOW + 100 * 86400},
        "timestamp": {"version": 9, "until_s": NOW + 86400},
    },
    "models": [{"pipeline": "door", "signed": True}],
    "pipelines": [{"name": "door", "confine": "full"}],
    "kernel": {"landlock": 4, "seccomp": True},
    "running": True,
    "service": {
        "ActiveState": "active",
        "NoNewPrivileges": "yes",
        "ProtectSystem": "strict",
        "CapabilityBoundingSet": "",
    },
    "data": {"path": "data", "mode": "700", "problem": None},
    "clock": {"synced": True},
}
FOUND = [
    ("configuration", "configuration", {"problem": "mqtt.host: it is missing"}),
    ("password-in-file", "configuration", {"password_open": True}),
    ("open-file", "configuration", {"writable": True}),
    ("unsigned", "trust", {"signed": False}),
    ("unsigned", "trust", {"problem": "this device has no key to sign with"}),
    ("no-tls", "trust", {"tls": False}),
    ("no-tls", "trust", {"mirror": "http://mirror.example"}),
    ("certificate", "trust", {"certificate": {"serial": "a", "until_s": NOW + 86400}}),
    ("certificate", "trust", {"certificate": {"serial": "a", "until_s": NOW - 1}}),
    ("metadata", "trust", {"root": {"version": 1, "until_s": NOW + 86400}}),
    ("metadata", "trust", {"timestamp": {"version": 9, "until_s": NOW - 1}}),
    ("exposed", "kernel", {"landlock": 0}),
    ("exposed", "kernel", {"seccomp": False}),
    ("unsandboxed", "service", {"NoNewPrivileges": "no"}),
    ("unsandboxed", "service", {"User": ""}),
    ("unsandboxed", "service", {"User": "root"}),
    ("unsandboxed", "service", {"DevicePolicy": "auto"}),
    ("unsandboxed", "service", {"ActiveState": "inactive"}),
    ("clock", "clock", {"synced": False}),
    ("open-file", "data", {"mode": "750"}),
    ("data-folder", "data", {"problem": "state.db is damaged"}),
    ("unsigned-model", "models", [{"pipeline": "door", "signed": False}]),
    ("unconfined", "pipelines", [{"name": "door", "confine": "off"}]),
]


def changed(part: str, change: Any) -> dict[str, Any]:
    return SOUND | {part: SOUND[part] | change if isinstance(change, dict) else change}


def test_on_a_sound_device_nothing_is_amiss() -> None:
    assert deviations(SOUND, NOW) == []


@pytest.mark.parametrize(("name", "part", "change"), FOUND)
def test_what_is_amiss_is_named_with_what_to_do(name: str, part: str, change: Any) -> None:
    [found] = deviations(changed(part, change), NOW)
    assert found["id"] == name
    assert found["problem"]
    assert found["hint"]


def test_each_of_them_can_be_found_and_stands_in_the_documentation() -> None:
    assert {name for name, _, _ in FOUND} == set(IDS)
    page = (Path(__file__).resolve().parents[4] / "docs" / "cli.md").read_text()
    table = page.partition("| deviation | when |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `([a-z-]+)` \| ", table, re.MULTILINE) == [*IDS]


def test_the_most_important_comes_first() -> None:
    both = changed("clock", {"synced": False}) | {"trust": SOUND["trust"] | {"signed": False}}
    assert [one["id"] for one in deviations(both, NOW)] == ["unsigned", "clock"]


def test_what_could_not_be_seen_is_not_called_amiss() -> None:
    parts = ("trust", "models", "pipelines", "kernel", "running", "service", "data", "clock")
    assert deviations(SOUND | dict.fromkeys(parts), NOW) == []
