"""What systemd says of the agent's service: its state, and how it is held."""

from __future__ import annotations

from agent.installing import systemd

_PROPERTIES = (
    "LoadState", "ActiveState", "UnitFileState", "DropInPaths", "User", "DynamicUser", "NoNewPrivileges",
    "CapabilityBoundingSet", "ProtectSystem", "ProtectHome", "PrivateTmp", "PrivateUsers", "DevicePolicy",
    "MemoryDenyWriteExecute", "RestrictAddressFamilies", "RestrictNamespaces", "SystemCallArchitectures",
    "MemoryMax", "WatchdogUSec",
)  # fmt: skip


def shown() -> dict[str, str] | None:
    """Give the service's properties as ``systemctl show`` has them; None where there is no such service.

    Raises:
        AgentError: systemd does not answer.
    """
    if not systemd.runs_here():
        return None
    found = systemd.shown(_PROPERTIES)
    return found if found.get("LoadState") == "loaded" else None
