"""The folder that the page on containers has people make holds what the composition shows to containers."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]


def test_the_folder_of_the_composition_is_made_as_the_page_says(tmp_path: Path) -> None:
    page = (REPOSITORY / "docs/howto/containers.md").read_text()
    lines = re.search(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert lines
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "CHECKOUT": str(REPOSITORY),
        "EDGECTL_PASSPHRASE": "four words nobody guesses",
    }
    subprocess.run(["sh", "-eu", "-c", lines[1]], cwd=tmp_path, env=environment, check=True, timeout=200)

    composition = yaml.safe_load((tmp_path / "compose.yaml").read_text())
    shown = [bind.split(":") for service in composition["services"].values() for bind in service["volumes"]]
    secrets = [secret["file"] for secret in composition["secrets"].values()]
    for source in [*(bind[0] for bind in shown), *secrets]:
        assert (tmp_path / source).exists(), source
    assert {stat.S_IMODE((tmp_path / source).stat().st_mode) for source in secrets} == {0o600}

    collector = [tmp_path / bind.split(":")[0] for bind in composition["services"]["collector"]["volumes"]]
    assert [path for path in collector if path.suffix == ".key"] == [
        *(tmp_path / "keys" / name for name in ("collector.key", "clients/collector.key"))
    ]
    [devices] = [path for path in collector if path.is_dir()]
    assert [path.name for path in devices.iterdir()] == ["gate-1.pub"]

    broker = (tmp_path / "keys/broker/mosquitto.conf").read_text()
    places = re.findall(r"^(?:\w+file|acl_file|persistence_location) (\S+)", broker, re.MULTILINE)
    inside = {bind[1] for bind in shown if "broker" in bind[0]}
    assert len(places) == 6
    assert all(any(place.startswith(f"{folder}/") for folder in inside) for place in places)
    assert "user root" not in broker
    assert 'host = "broker"' in (tmp_path / "keys/enrolled/gate-1/agent.toml").read_text()
