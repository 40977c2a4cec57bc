"""Files and lines of the log over a real broker, from a real agent to who puts them together."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

import cv2
import pytest

from agent.demo.broker import Broker
from agent.documents import loglines
from agent.fleet.commanding.assembly import Assembly
from agent.link import topics
from agent.link.mqtt import Link
from agent.link.settings import LinkMessage, LinkSettings, LinkUp
from agent.trust.signing import Verifier
from tests.simulators.commander import signed
from tests.simulators.commanding import Commanding
from tests.simulators.ear import Ear
from tests.simulators.operator import DEVICE, FLEET
from tests.simulators.running_agent import CAMERA, RunningAgent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.documents.command import Command
    from agent.documents.outcome import Outcome

pytestmark = pytest.mark.mosquitto


class Desk:
    """An operator, and what comes beside outcomes."""

    def __init__(self, folder: Path, broker: Broker) -> None:
        self.verifier = Verifier.from_pem((folder / "device.pub").read_bytes())
        self.files, self.lines = Ear(), Ear()
        heard = ((self.files, topics.up_diag(FLEET, DEVICE)), (self.lines, topics.up_logs(FLEET, DEVICE)))
        self._links = [
            Link(
                LinkSettings("127.0.0.1", broker.port, f"ear-{n}"),
                post=ear.post,
                subscriptions=((topic, 1),),
            )
            for n, (ear, topic) in enumerate(heard)
        ]
        for link, ear in zip(self._links, (self.files, self.lines), strict=True):
            link.start()
            ear.wait(LinkUp)

    def close(self) -> None:
        for link in self._links:
            link.close()

    def gathered(self, command: Command, outcome: Outcome, folder: Path) -> Path:
        """Put the outcome's one file together."""
        assembly = Assembly(folder, fleet=FLEET, device=DEVICE, command=command.id, verifier=self.verifier)
        assembly.expect(outcome.files)
        while not assembly.complete:
            assembly.take(self.files.wait(LinkMessage, 30).payload)
        assert not assembly.refused
        [path] = assembly.done.values()
        return path


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Commanding, Desk, RunningAgent]]:
    broker = Broker(tmp_path_factory.mktemp("broker"), kind="mosquitto")
    broker.start()
    folder = tmp_path_factory.mktemp("device")
    with Commanding(folder, broker.port) as operator:
        desk = Desk(folder, broker)
        pipeline = f"{CAMERA}\nremote_snapshots = true"
        with RunningAgent(folder, pipeline, operator.tables()) as agent:
            agent.until_inferred()
            operator.until_obeyed()
            yield operator, desk, agent
            assert agent.end() == 0, agent.log
        desk.close()
    broker.stop()


def test_a_picture_arrives_and_comes_again_with_its_command(
    line: tuple[Commanding, Desk, RunningAgent], tmp_path: Path
) -> None:
    operator, desk, agent = line
    command = operator.command("snapshot", args={"pipeline": "door"})
    outcome = operator.hear(command.id)
    assert [one.name for one in outcome.files] == ["snapshot-door.jpg"], outcome
    path = desk.gathered(command, outcome, tmp_path / "first")
    assert path.name == f"{DEVICE}-snapshot-door.jpg"
    assert cv2.imread(str(path)) is not None
    operator.say(signed(command, operator.all))
    assert operator.hear(command.id) == outcome
    again = desk.gathered(command, outcome, tmp_path / "second")
    assert again.read_bytes() == path.read_bytes()
    assert [one.name for one in (agent.data / "outgoing").iterdir()] == [
        f"{command.id}.sent.snapshot-door.jpg"
    ]


def test_a_bundle_of_diagnostics_arrives(line: tuple[Commanding, Desk, RunningAgent], tmp_path: Path) -> None:
    operator, desk, _ = line
    command = operator.command("diagnostics")
    outcome = operator.hear(command.id, 60)
    path = desk.gathered(command, outcome, tmp_path)
    with tarfile.open(path) as archive:
        assert any(name.endswith("/log.txt") for name in archive.getnames())


def test_followed_lines_arrive_signed_and_end_by_themselves(
    line: tuple[Commanding, Desk, RunningAgent],
) -> None:
    operator, desk, _ = line
    command = operator.command("logs", args={"lines": 5, "follow_s": 2, "level": "info"})
    assert len(operator.hear(command.id).result["lines"]) == 5
    operator.command("restart", args={"pipeline": "door"})
    heard: list[loglines.LogLines] = []
    while not (heard and heard[-1].last):
        payload = desk.lines.wait(LinkMessage, 20).payload
        heard.append(loglines.decode(payload, desk.verifier, fleet=FLEET, device=DEVICE))
    assert [one.n for one in heard] == list(range(1, len(heard) + 1))
    assert any("lane.started door" in line.text for one in heard for line in one.lines)
