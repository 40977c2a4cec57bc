"""What of a report is not as it should be, and what to do about it. Pure: it reads the report alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ENDS_SOON_S = 30 * 86400
IDS = (
    "configuration", "unsigned", "no-tls", "password-in-file", "open-file", "certificate", "metadata",
    "unsigned-model", "exposed", "unconfined", "unsandboxed", "clock", "data-folder",
)  # fmt: skip
"""All that can be amiss; docs/cli.md says what each means."""
_HELD = (
    ("NoNewPrivileges", "yes"),
    ("CapabilityBoundingSet", ""),
    ("ProtectSystem", "strict"),
    ("ProtectHome", "yes"),
    ("DevicePolicy", "closed"),
    ("MemoryDenyWriteExecute", "yes"),
)
"""What no drop-in for a family of hardware takes away."""


def deviations(report: dict[str, Any], now_s: float) -> list[dict[str, str]]:
    """Name what is amiss, the most important first.

    Args:
        report: as ``agent.cli.reporting.parts`` has gathered it; parts that could not be had are None.
        now_s: the wall clock, seconds since 1970.

    Returns:
        ``id`` (one of ``IDS``), ``problem`` and ``hint`` of each.
    """
    found = [
        *_of_configuration(report["configuration"]),
        *_of_trust(report["trust"] or {}),
        *_of_time(report["trust"] or {}, report["clock"], now_s),
        *_of_models(report["models"] or []),
        *_of_walls(report),
        *_of_data(report["data"]),
    ]
    return sorted(found, key=lambda one: IDS.index(one["id"]))


def _told(name: str, problem: str, hint: str) -> dict[str, str]:
    return {"id": name, "problem": problem, "hint": hint}


def _of_configuration(told: dict[str, Any]) -> Iterator[dict[str, str]]:
    if told["problem"]:
        yield _told("configuration", told["problem"], "Mend it, and try again: edge-agent check")
    if told["password_open"]:
        problem = "a password stands in a configuration that everyone may read"
        hint = "Pass the broker's as the systemd credential mqtt-password, and a camera's with login"
        yield _told("password-in-file", problem, hint)
    if told["writable"]:
        hint = f"Run: sudo chown root: {told['path']} && sudo chmod 644 {told['path']}"
        yield _told("open-file", f"others may write {told['path']}", hint)


def _of_trust(told: dict[str, Any]) -> Iterator[dict[str, str]]:
    if told.get("problem"):
        yield _told("unsigned", told["problem"], "Give both keys: docs/operations.md, Keys")
    elif told.get("signed") is False:
        problem = "trust.unsigned is set: whoever reaches the broker can have results deleted, and forge some"
        yield _told("unsigned", problem, "Make keys: edgectl init keys --device ID; then take unsigned away")
    if told.get("tls") is False:
        problem = "the link to the broker is not encrypted: whoever is on the way reads everything"
        yield _told("no-tls", problem, "Set mqtt.ca_file, or mqtt.tls = true")
    if told.get("mirror", "").startswith("http:"):
        problem = "whoever is on the way to models.mirror sees which models are fetched"
        yield _told("no-tls", problem, "Give an address that begins with https:")


def _of_time(told: dict[str, Any], clock: dict[str, Any] | None, now: float) -> Iterator[dict[str, str]]:
    ends = (
        ("certificate", "certificate", "the device's certificate", "edgectl renew DEVICE"),
        ("metadata", "root", "the fleet's root metadata", "edgectl rotate root, and let the device fetch it"),
        ("metadata", "timestamp", "the newest update metadata", "edgectl resign; then look at the link"),
    )
    for name, key, what, hint in ends:
        until = (told.get(key) or {}).get("until_s") or 0
        soon = ENDS_SOON_S if key != "timestamp" else 0  # it lasts for 14 days only, and is renewed daily
        if until and until - now < soon:
            when = "has ended" if until <= now else f"ends in {(until - now) / 86400:.0f} days"
            yield _told(name, f"{what} {when}", f"Have the operator run: {hint}")
    if clock and clock["synced"] is False:
        problem = "the clock is not set: what expires cannot be judged, and times are not to be believed"
        yield _told("clock", problem, "Switch a time service on: timedatectl set-ntp true")


def _of_models(models: list[dict[str, Any]]) -> Iterator[dict[str, str]]:
    if named := sorted({one["pipeline"] for one in models if not one["signed"]}):
        problem = f"no operator has signed the model of {', '.join(named)}: the configuration names it"
        yield _told("unsigned-model", problem, "Set models.root, and deploy it: docs/fleet.md")


def _of_walls(report: dict[str, Any]) -> Iterator[dict[str, str]]:
    kernel = report["kernel"]
    if missing := [name for name in ("landlock", "seccomp") if kernel and not kernel[name]]:
        problem = f"the kernel has no {' and no '.join(missing)}: workers can do more than they need"
        yield _told("exposed", problem, "Use Linux 5.13 or later with both; docs/operations.md")
    if named := [one["name"] for one in report["pipelines"] or () if one["confine"] == "off"]:
        problem = f"the workers of {', '.join(named)} are not confined: confine is off"
        yield _told("unconfined", problem, 'Take confine = "off" away')
    service = report["service"] or {}
    active = service.get("ActiveState") in {"active", "reloading"}
    if report["running"] and not active:
        problem = "the agent runs, and not as its service: nothing but its own walls holds it"
        yield _told("unsandboxed", problem, "Start it as edge-agent.service: docs/operations.md")
    loose = [name for name, value in _HELD if service.get(name, value) != value]
    loose += ["User"] if service.get("User", "edge-agent") in {"", "0", "root"} else []
    if active and loose:
        problem = f"the service's sandbox was loosened: {', '.join(loose)}"
        yield _told("unsandboxed", problem, "Look for drop-ins: systemctl cat edge-agent")


def _of_data(data: dict[str, Any] | None) -> Iterator[dict[str, str]]:
    if data is None:
        return
    if data["mode"] and int(data["mode"], 8) & 0o077:
        yield _told("open-file", f"others may look into {data['path']}", f"Run: chmod 700 {data['path']}")
    if data["problem"]:
        yield _told("data-folder", data["problem"], "Look closer with: edge-agent store verify")
