"""edge-agent doctor looks at the keys that a configuration names."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from agent.fleet.keys import make_keys

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """
[mqtt]
host = "broker.example"
[trust]
{trust}
[store]
path = "data"
[[pipelines]]
name = "door"
model = "glyphs"
source = {{ kind = "synthetic" }}
"""
KEYS = 'device_key = "keys/devices/gate.key"\ncollector_key = "keys/collector.pub"'


@pytest.mark.parametrize(
    ("given", "verdict", "detail"),
    [
        (KEYS, "ok", "signs as "),
        ("unsigned = true", "warn", "WARNING: not signed"),
        ("", "FAIL", "this device has no key to sign with"),
    ],
)
def test_doctor_tells_whether_a_configuration_is_signed(
    tmp_path: Path, given: str, verdict: str, detail: str
) -> None:
    make_keys(tmp_path / "keys", ["gate"])
    (tmp_path / "agent.toml").write_text(CONFIG.format(trust=given))
    command = [sys.executable, "-m", "agent.cli.main", "doctor", "--json", "--config"]
    done = subprocess.run(
        [*command, str(tmp_path / "agent.toml")], capture_output=True, text=True, timeout=60, check=False
    )
    told = json.loads(done.stdout)
    [keys] = [check for check in told["checks"] if check["check"] == "keys"]
    assert keys["verdict"] == verdict
    assert detail in keys["detail"]
    assert done.returncode == (1 if verdict == "FAIL" else 0)
    assert str(tmp_path / "data") in next(c["detail"] for c in told["checks"] if c["check"] == "disk")
