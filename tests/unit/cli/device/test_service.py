"""What commands beside the service see of it: its credentials before it runs, and why it does not answer."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from agent.cli.device import service
from agent.cli.device.sockets import socket_of
from agent.errors import AgentError
from agent.trust import keys as trust

LOOK = """
import os, sys
from pathlib import Path
from agent.trust import keys as trust
from agent.cli.device import service
here = Path(sys.argv[1])
service.CONFIG, service.CREDSTORE, service.PLACES = here / "agent.toml", here / "credstore", {}
service.look_as(service.CONFIG)
print(trust.credential("device-key").read_text(), trust.credential("mqtt-key"))
print(os.environ["CREDENTIALS_DIRECTORY"])
"""


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in service.PLACES:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "credstore").mkdir()
    (tmp_path / "credstore" / "edge-agent.device-key").write_text("secret")
    (tmp_path / "credstore" / "another.mqtt-key").write_text("theirs")
    return tmp_path


def test_what_root_keeps_for_the_service_is_seen_before_it_runs_and_no_copy_is_left(device: Path) -> None:
    said = subprocess.run([sys.executable, "-c", LOOK, device], capture_output=True, text=True, check=True)
    secret, theirs, folder = said.stdout.split()
    assert (secret, theirs) == ("secret", "None")
    assert not Path(folder).exists()
    assert (device / "credstore" / "edge-agent.device-key").read_text() == "secret"


def test_another_configuration_has_no_credentials_of_the_service(
    device: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "CREDSTORE", device / "credstore")
    service.look_as(device / "mine.toml")
    (device / "circle.toml").symlink_to("circle.toml")
    service.look_as(device / "circle.toml")
    assert trust.credential("device-key") is None


def test_who_asks_a_service_that_does_not_run_is_told_how_to_start_it(
    device: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(device))
    monkeypatch.setattr(service, "CONFIG", device / "agent.toml")
    monkeypatch.setattr(service, "SOCKET", device / "agent.sock")
    service.CONFIG.write_text('[[pipelines]]\nname = "a"\nmodel = "shapes"\nsource = { kind = "stdin" }\n')
    with pytest.raises(AgentError, match=r"the service does not run\. Start it: sudo systemctl start"):
        socket_of(argparse.Namespace(socket=None, config=None))
