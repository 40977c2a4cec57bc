"""The reported state is said when it changes, not too often, and again when the link comes up."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.activation.reporting import Reporter
from agent.clock import SystemClock
from agent.documents import reported
from agent.documents.reported import Metadata, Reported, Standing
from agent.link import topics
from agent.trust.signing import Signer, Verifier, generate

PRIVATE, PUBLIC = generate()


@dataclass
class Scene:
    """A reporter, and what the link has taken."""

    up: bool = True
    state: str = "downloading"
    sent: list[Reported] = field(default_factory=list)

    def __post_init__(self) -> None:
        signer = Signer.from_pem(PRIVATE)
        self.reporter = Reporter("fleet", "device", signer, SystemClock(), self.publish)

    def publish(self, topic: str, payload: bytes, retain: bool) -> int | None:
        assert (topic, retain) == (topics.up_reported("fleet", "device"), True)
        verifier = Verifier.from_pem(PUBLIC)
        if self.up:
            self.sent.append(reported.decode(payload, verifier, fleet="fleet", device="device"))
        return len(self.sent) if self.up else None

    def make(self) -> Reported:
        standing = Standing.model_validate({"state": self.state})
        return self.reporter.report(3, {"door": standing}, Metadata(root=1), (2, "ab" * 32), "p" * 900)

    def tick(self, now: float) -> None:
        self.reporter.tick(now, self.make)


def test_what_is_new_is_said_once_and_signed() -> None:
    scene = Scene()
    for now in range(5):
        scene.tick(float(now))
    assert len(scene.sent) == 1
    [report] = scene.sent
    assert (report.generation, report.pipelines["door"].state) == (3, "downloading")
    assert (report.audit.seq, report.audit.head, len(report.problem)) == (2, "ab" * 32, 500)
    scene.state = "active"
    scene.tick(6.0)
    assert [one.pipelines["door"].state for one in scene.sent] == ["downloading", "active"]


def test_it_is_said_at_most_once_a_second() -> None:
    scene = Scene()
    for step in range(40):
        scene.state = ("proving", "verified")[step % 2]
        scene.tick(step / 10)
    assert len(scene.sent) <= 4


def test_what_the_link_did_not_take_is_said_again_and_all_when_it_comes_up() -> None:
    scene = Scene(up=False)
    scene.tick(0.0)
    scene.up = True
    scene.tick(1.0)
    assert len(scene.sent) == 1
    scene.reporter.again()
    scene.tick(2.0)
    assert len(scene.sent) == 2
