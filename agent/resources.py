"""What comes with the agent besides its code: the bundled models, the device profiles, and systemd's files.

A wheel carries them in ``agent/_data``; a checkout has them at its top.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def bundled_models() -> dict[str, Path]:
    """Give the bundle folders that come with the agent, by name."""
    return {found.parent.name: found.parent for found in sorted(_root().glob("models/*/manifest.json"))}


def device_profiles() -> dict[str, Path]:
    """Give the device profiles (TOML files) that come with the agent, by name."""
    return {found.stem: found for found in sorted(_root().glob("device_profiles/*.toml"))}


def units() -> Path:
    """Give the folder of units, drop-ins, and rules for udev, sysusers and tmpfiles."""
    return _root() / "systemd"


def _root() -> Path:
    packed = _PACKAGE / "_data"
    return packed if packed.is_dir() else _PACKAGE.parent
