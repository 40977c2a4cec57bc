"""A report on a device: of a real agent, while it runs and afterwards, and without any secret in it."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest

from agent.fleet.keys import make_keys
from tests.simulators.running_agent import RunningAgent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Run = Callable[..., tuple[int, str, str]]

BROKER = '[mqtt]\nhost = "127.0.0.1"\nport = 9\n[trust]\n'
KEYS = 'device_key = "keys/devices/gate.key"\ncollector_key = "keys/collector.pub"\n'
SECRETS = {
    "config": "hunter2-config",
    "url": "hunter2-url",
    "environment": "hunter2-environment",
    "credential": "hunter2-credential",
}
SECRETIVE = """
[device]
id = "d"
[store]
path = "data"
[mqtt]
host = "broker.example"
password = "hunter2-config"
[trust]
device_key = "keys/devices/gate.key"
collector_key = "keys/collector.pub"
"""
PIPELINE = """
[[pipelines]]
name = "door"
model = "glyphs"
source = { kind = "rtsp", url = "rtsp://admin:hunter2-url@cam.example/1" }
"""
_LISTEN = "0A"
"""A listening socket in /proc/net/tcp (proc_net_tcp.txt)."""


def family(pid: int) -> list[int]:
    """Give a process and all that it has started, and those have."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in family(int(child)))]


def listening(pid: int) -> set[str]:
    """Give the TCP ports that a process listens on, and its UDP sockets, by inode."""
    held = {str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir() if path.is_symlink()}
    found = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        path = Path(f"/proc/{pid}/net/{table}")
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            fields = line.split()
            if fields[3] == _LISTEN or table.startswith("udp"):
                found.add(f"socket:[{fields[9]}]")
    return found & held


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    folder = tmp_path_factory.mktemp("device")
    make_keys(folder / "keys", ["gate"])
    with RunningAgent(folder, more=BROKER + KEYS) as made:
        made.until_inferred(3)
        yield made


def test_a_running_agent_listens_on_no_network_port(agent: RunningAgent) -> None:
    processes = family(agent.process.pid)
    assert len(processes) > 1
    assert {pid: listening(pid) for pid in processes} == {pid: set() for pid in processes}
    with socket.socket() as port:  # what is there would be seen
        port.listen()
        assert len(listening(os.getpid())) == 1


def test_a_report_of_a_running_agent_tells_what_it_is_and_what_is_amiss(
    agent: RunningAgent, run: Run
) -> None:
    code, said, _ = run("report", "--config", agent.config, "--json", "--strict")
    report = orjson.loads(said)
    assert code == 1
    amiss = {one["id"] for one in report["deviations"]}
    assert {"no-tls", "unsigned-model", "unsandboxed"} <= amiss
    assert not amiss & {"configuration", "unsigned", "data-folder", "open-file"}
    assert report["v"] == 1
    assert report["running"] is True
    assert (report["trust"]["signed"], report["trust"]["tls"]) == (True, False)
    [model] = report["models"]
    [pipeline] = agent.status()["pipelines"]
    assert model["sha256"] == pipeline["sha256"]
    assert report["pipelines"][0]["confined"] == pipeline["confined"]
    assert report["data"]["mode"] == "700"
    assert report["unseen"] == []
    assert {one["id"] for one in report["compliance"]} >= {"en-303-645", "cra"}

    code, said, _ = run("report", "--config", agent.config)
    lines = said.splitlines()
    assert code == 0
    assert lines[1] == f"{len(report['deviations'])} amiss"
    assert lines[2].startswith("  no-tls: ")
    assert max(map(len, lines)) < 200


def test_a_report_works_without_an_agent_and_with_a_configuration_that_does_not_hold(
    tmp_path: Path, run: Run
) -> None:
    config = tmp_path / "agent.toml"
    config.write_text("[mqtt]\npassword = 'hunter2-config'\nhost = 1\n")
    code, said, _ = run("report", "--config", config, "--json")
    report = orjson.loads(said)
    assert code == 0
    assert next(one["id"] for one in report["deviations"]) == "configuration"
    assert "mqtt.host" in report["configuration"]["problem"]
    assert {"trust", "models", "data"} <= {one["part"] for one in report["unseen"]}
    assert report["components"]
    assert "hunter2" not in said
    code, said, _ = run("report", "--config", config)
    assert code == 0
    assert "not seen: board, running, trust, models, " in said  # once, for all that the reason hides
    assert said.count("mqtt.host") == 2


def test_no_secret_stands_in_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    make_keys(tmp_path / "keys", ["gate"])
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "mqtt-password").write_text("hunter2-credential\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    monkeypatch.setenv("SOME_SERVICE_TOKEN", "hunter2-environment")
    config = tmp_path / "agent.toml"
    config.write_text((SECRETIVE + PIPELINE).replace('id = "d"', f'id = "{SECRETS["environment"]}"'))
    config.chmod(0o644)
    code, said, _ = run("report", "--config", config, "--json")
    text = said + run("report", "--config", config)[1]
    report = orjson.loads(said)
    assert code == 0
    assert not [name for name, secret in SECRETS.items() if secret in text]
    assert "PRIVATE KEY" not in text
    assert "password-in-file" in {one["id"] for one in report["deviations"]}
    assert report["trust"]["device_key_id"]
    assert report["device"] == "***"  # it is what the environment calls a token


def test_what_only_root_sees_is_not_called_amiss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    config = tmp_path / "agent.toml"
    config.write_text(SECRETIVE.replace("keys/", "").partition("device_key")[0] + PIPELINE)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)

    def told() -> tuple[set[str], set[str]]:
        report = orjson.loads(run("report", "--config", config, "--json")[1])
        return {one["id"] for one in report["deviations"]}, {one["part"] for one in report["unseen"]}

    amiss, unseen = told()
    assert {"unsigned", "no-tls"} <= amiss
    assert "keys" not in unseen
    monkeypatch.setattr(
        "agent.cli.device.service.CONFIG", config
    )  # now keys may be the service's credentials
    monkeypatch.setattr("agent.cli.device.service.PLACES", {})
    amiss, unseen = told()
    assert not amiss & {"unsigned", "no-tls"}
    assert "keys" in unseen


def test_an_agent_that_answers_what_nobody_expects_costs_only_the_parts_that_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    config = tmp_path / "agent.toml"
    config.write_text('[store]\npath = "data"\n' + PIPELINE)
    monkeypatch.setattr("agent.cli.reporting.parts.deserted", lambda _path: False)
    monkeypatch.setattr(
        "agent.cli.reporting.parts.ask", lambda _path, _request: {"pipelines": [{"name": "door"}]}
    )
    code, said, _ = run("report", "--config", config, "--json")
    report = orjson.loads(said)
    assert code == 0
    assert [one for one in report["unseen"] if one["part"] == "pipelines"]
    assert report["data"]["path"]


@pytest.mark.parametrize(("mode", "open_to_all"), [(0o644, True), (0o640, False)])
def test_a_password_in_a_cameras_address_is_one_in_the_file(
    tmp_path: Path, run: Run, mode: int, *, open_to_all: bool
) -> None:
    config = tmp_path / "agent.toml"
    config.write_text('[store]\npath = "data"\n' + PIPELINE)
    config.chmod(mode)
    report = orjson.loads(run("report", "--config", config, "--json")[1])
    assert ("password-in-file" in {one["id"] for one in report["deviations"]}) == open_to_all


def test_a_time_that_is_none_comes_from_an_agent_and_ends_no_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    (tmp_path / "root.json").write_text("{}")
    config = tmp_path / "agent.toml"
    config.write_text('[store]\npath = "data"\n[models]\nroot = "root.json"\n[mqtt]\nhost = "b"\n' + PIPELINE)
    said = {"metadata": {"timestamp": 1, "expires": 1e300}}
    monkeypatch.setattr("agent.cli.reporting.parts.deserted", lambda _path: False)
    monkeypatch.setattr("agent.cli.reporting.parts.ask", lambda _path, _request: said)
    monkeypatch.setattr(
        "agent.cli.reporting.parts.models_check.root", lambda *_: (1, datetime(2030, 1, 1, tzinfo=UTC))
    )
    code, text, _ = run("report", "--config", config)
    assert code == 0
    assert "not seen: trust: what is there is not understood" in text
