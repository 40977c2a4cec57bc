"""What a first configuration is to know of this machine: its board, its cameras, its runtime and its keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.cli.device.settings import host_name
from agent.cli.examining.versions import versions
from agent.cli.setup.starter import Found
from agent.probing.recognition import recognise
from agent.sources.v4l2.devices import cameras

if TYPE_CHECKING:
    from pathlib import Path

KEYS = "keys"
"""The folder of keys that is looked for beside the configuration: what the documentation calls it."""
_ROOT = "tuf/meta/1.root.json"
"""What trust in models starts from, in that folder."""


def look(model: str, broker: str, schema_file: Path, device: str = "") -> Found:
    """Find out what there is; ``device`` is its name, this machine's where it is empty."""
    device = device or host_name()
    has_keys = _has_keys(schema_file.with_name(KEYS), device)
    installed = versions()
    runtimes = [name for name in ("ai-edge-litert", "tflite-runtime") if name in installed]
    return Found(
        device=device,
        board=recognise(),
        runtime=f"{runtimes[0]} {installed[runtimes[0]]}" if runtimes else "",
        cameras=tuple(cameras()),
        model=model,
        broker=broker,
        keys=KEYS if has_keys else "",
        schema=schema_file.name,
        root=f"{KEYS}/{_ROOT}" if has_keys and schema_file.with_name(KEYS).joinpath(_ROOT).is_file() else "",
    )


def _has_keys(folder: Path, device: str) -> bool:
    """Whether ``edgectl init`` has made keys of this device there."""
    try:
        return (folder / "devices" / f"{device}.key").is_file() and (folder / "collector.pub").is_file()
    except (OSError, ValueError):
        return False
