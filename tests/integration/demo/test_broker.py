"""The broker of the demo: it starts, dies when told to, comes back, and outlives nobody."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from agent.demo import broker as module
from agent.demo.broker import Broker, Kind, answers
from agent.errors import AgentError, ExtraMissing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KINDS = [pytest.param("mosquitto", marks=pytest.mark.mosquitto), "amqtt"]


@pytest.fixture(params=KINDS)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    kind: Kind = request.param
    made = Broker(tmp_path / "broker", kind=kind)
    yield made
    made.stop()


def test_it_answers_once_it_is_started_and_no_more_when_it_is_stopped(broker: Broker) -> None:
    broker.start()
    assert answers(broker.port)
    broker.stop()
    broker.stop()
    assert not answers(broker.port)


def test_it_is_cut_without_a_word_and_restored_on_the_same_port(broker: Broker) -> None:
    broker.start()
    port, pid = broker.port, broker.pid
    broker.cut()
    assert not answers(port)
    broker.restore()
    assert answers(port)
    assert broker.port == port
    assert broker.pid != pid


def test_it_listens_on_the_loopback_only(broker: Broker) -> None:
    broker.start()
    listening = subprocess.run(
        ["cat", "/proc/net/tcp", "/proc/net/tcp6"], capture_output=True, text=True, check=True
    )
    port = f":{broker.port:04X}"
    [line] = [
        row.split()[1] for row in listening.stdout.splitlines() if port in row.split()[1] and " 0A " in row
    ]
    assert line == f"0100007F{port}"


def test_it_dies_with_the_process_that_started_it(broker: Broker, tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from agent.demo.broker import Broker;"
        f"b = Broker(Path(sys.argv[1]), kind={broker.kind!r}); b.start(); print(b.pid, b.port, flush=True);"
        "time.sleep(60)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "other")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pid, port = map(int, parent.stdout.readline().split())
        assert answers(port)
        parent.kill()
    give_up = time.monotonic() + 30
    while _runs(pid):
        assert time.monotonic() < give_up, "the broker has outlived its parent"
        time.sleep(0.02)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_a_port_in_use_is_told_in_one_line(broker: Broker, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        other = Broker(tmp_path / "other", kind=broker.kind, port=port)
        with pytest.raises(AgentError, match=r"the port is in use\. Stop the other program") as caught:
            other.start()
    assert "\n" not in str(caught.value)


def test_a_port_that_is_lost_between_choosing_and_listening_is_chosen_again(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = iter([taken.getsockname()[1], module._free_port()])
        monkeypatch.setattr(module, "_free_port", lambda: next(ports))
        broker.start()
        assert broker.port != taken.getsockname()[1]


def test_a_broker_that_does_not_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Broker, "_command", lambda _: [sys.executable, "-c", "raise SystemExit('no luck')"])
    with pytest.raises(AgentError, match=r"start broker amqtt: no luck\. See .*broker\.log"):
        Broker(tmp_path / "broker", kind="amqtt").start()


def test_without_any_broker_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_mosquitto", lambda: None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ExtraMissing, match=r"In the checkout, run: pip install '.\[demo\]'"):
        Broker(tmp_path / "broker").start()


def test_a_tether_starts_nothing_for_a_parent_that_is_gone() -> None:
    for arguments, code in (
        (["1", "true"], 1),
        ([], 2),
        (["x", "true"], 2),
        ([str(os.getpid()), "no-such"], 1),
    ):
        command = [sys.executable, "-m", "agent.demo.tether", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == code
        assert "Traceback" not in done.stderr


def test_a_tethered_program_is_itself_not_a_shell_around_it() -> None:
    command = [sys.executable, "-m", "agent.demo.tether", str(os.getpid()), "sleep", "60"]
    with subprocess.Popen(command) as process:
        give_up = time.monotonic() + 30
        while _name(process.pid) != b"sleep":
            assert time.monotonic() < give_up
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == -signal.SIGTERM


def _name(pid: int) -> bytes:
    with open(f"/proc/{pid}/comm", "rb") as file:  # noqa: PTH123
        return file.read().strip()
