"""What systemd says of the agent's service: its state, and how it is held."""

from __future__ import annotations

import subprocess
from pathlib import Path

UNIT = "edge-agent.service"
_PROPERTIES = (
    "LoadState", "ActiveState", "UnitFileState", "DropInPaths", "User", "DynamicUser", "NoNewPrivileges",
    "CapabilityBoundingSet", "ProtectSystem", "ProtectHome", "PrivateTmp", "PrivateUsers", "DevicePolicy",
    "MemoryDenyWriteExecute", "RestrictAddressFamilies", "RestrictNamespaces", "SystemCallArchitectures",
    "MemoryMax", "WatchdogUSec",
)  # fmt: skip
_BOOTED = Path("/run/systemd/system")
"""It is there where systemd is the init system (sd_booted(3))."""
_PATIENCE_S = 5.0


def shown() -> dict[str, str] | None:
    """Give the service's properties as ``systemctl show`` has them; None where there is no such service.

    Raises:
        OSError: systemctl cannot be run, or does not answer in time.
    """
    if not _BOOTED.is_dir():
        return None
    command = ["systemctl", "show", UNIT, f"--property={','.join(_PROPERTIES)}"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PATIENCE_S, check=True, stdin=subprocess.DEVNULL
        )
    except subprocess.SubprocessError as error:
        raise OSError(f"systemctl show {UNIT}: {error}") from error
    return read(done.stdout)


def read(text: str) -> dict[str, str] | None:
    """Read lines of ``key=value``; None where no such unit is loaded."""
    found = {key: value for key, _, value in (line.partition("=") for line in text.splitlines()) if key}
    return found if found.get("LoadState") == "loaded" else None
