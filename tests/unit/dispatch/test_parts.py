from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.dispatch import spool
from agent.dispatch.parts import Shipping
from agent.documents import part
from agent.errors import MessageInvalid
from agent.events import counters
from agent.fleet.commanding.assembly import Assembly
from agent.link.settings import LinkDown, LinkPublished
from agent.trust.signing import Signer, Verifier, generate

ID = "0123456789abcdef"
PRIVATE, PUBLIC = generate()
KEY, VERIFIER = Signer.from_pem(PRIVATE), Verifier.from_pem(PUBLIC)


@dataclass
class Broker:
    """Takes what is published; each message is answered when the test says so."""

    online: bool = True
    takes: bool = True
    sent: list[bytes] = field(default_factory=list)

    def publish(self, topic: str, payload: bytes, retain: bool) -> int | None:
        assert (topic, retain) == ("edge/v1/f/d/d/up/diag", False)
        if not (self.online and self.takes):
            return None
        self.sent.append(payload)
        return len(self.sent)


def shipping(folder: Path, broker: Broker, now: float = 0.0, wall: float | None = None) -> Shipping:
    return Shipping(
        folder, fleet="f", device="d", signer=KEY, publish=broker.publish, online=lambda: broker.online,
        now=now, wall=wall,
    )  # fmt: skip


def spooled(folder: Path, content: bytes, name: str = "1--picture.jpg") -> Path:
    path = folder / spool.FOLDER / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


CONTENT = bytes(range(256)) * 1000
"""Three parts."""


HAPPENINGS = st.lists(st.sampled_from(["answer", "lose", "refuse", "new agent", "again"]), max_size=12)


@given(
    HAPPENINGS.filter(lambda found: found.count("refuse") < 8)
)  # then the file is given up, and that is told
def test_all_parts_arrive_through_lost_links_refusals_and_restarts(happenings: list[str]) -> None:
    with TemporaryDirectory() as name:
        folder, broker, now = Path(name), Broker(), 0.0
        ours = shipping(folder, broker)
        files = ours.take_in(ID, [spooled(folder, CONTENT)])
        for happening in [*happenings, *["answer"] * 8]:
            now += 20
            ours.tick(now)
            token = len(broker.sent)
            match happening:
                case "answer":
                    ours.take(LinkPublished(token), now)
                case "lose":
                    ours.take(LinkDown("gone", refused=False), now)
                case "refuse":
                    ours.take(LinkPublished(token, "quota"), now)
                case "new agent":
                    ours = shipping(folder, broker, now)
                case "again":
                    ours.again(ID, files)
        assert ours.waiting == 0
        theirs = Assembly(folder / "out", fleet="f", device="d", command=ID, verifier=VERIFIER)
        theirs.expect(files)
        for payload in broker.sent:
            theirs.take(payload)
        assert theirs.done["picture.jpg"].read_bytes() == CONTENT
        assert [path.name for path in ours.folder.iterdir()] == [f"{ID}.sent.picture.jpg"]


def test_one_part_is_on_its_way_at_a_time_and_the_link_rests_for_as_long_as_it_took(tmp_path: Path) -> None:
    broker = Broker()
    ours = shipping(tmp_path, broker)
    ours.take_in(ID, [spooled(tmp_path, CONTENT)])
    for now in (0.0, 1.0, 9.0):
        ours.tick(now)
    assert len(broker.sent) == 1
    ours.take(LinkPublished(1), 10.0)
    ours.tick(19.9)
    assert (len(broker.sent), ours.next_tick(19.0)) == (1, 1.0)
    ours.tick(20.0)
    assert len(broker.sent) == 2


def test_who_asks_again_while_a_file_is_on_its_way_does_not_have_it_begin_anew(tmp_path: Path) -> None:
    broker = Broker()
    ours = shipping(tmp_path, broker)
    files = ours.take_in(ID, [spooled(tmp_path, CONTENT)])
    for now in range(0, 60, 20):
        ours.again(ID, files)
        ours.tick(float(now))
        ours.take(LinkPublished(len(broker.sent)), float(now))
    headers = [part.decode(one, VERIFIER, fleet="f", device="d")[0] for one in broker.sent]
    assert ([one.n for one in headers], ours.waiting) == ([0, 1, 2], 0)
    ours.again(ID, files)
    assert ours.waiting == 1


def test_a_command_that_is_played_back_for_ever_has_its_file_sent_so_often_and_no_longer(
    tmp_path: Path,
) -> None:
    broker = Broker()
    ours = shipping(tmp_path, broker)
    files = ours.take_in(ID, [spooled(tmp_path, CONTENT[:100])])
    for now in range(0, 3600, 100):
        ours.tick(float(now))
        ours.take(LinkPublished(len(broker.sent)), float(now))
        ours.again(ID, files)
    assert len(broker.sent) == 9
    ours.tick(3700.0)
    assert not list(ours.folder.iterdir())


def test_a_part_that_a_lost_link_took_is_sent_again_at_once(tmp_path: Path) -> None:
    broker = Broker()
    ours = shipping(tmp_path, broker)
    ours.take_in(ID, [spooled(tmp_path, CONTENT)])
    ours.tick(0.0)
    ours.take(LinkDown("gone", refused=False), 1.0)
    ours.tick(2.0)
    assert broker.sent[0] == broker.sent[1]


def test_a_file_that_is_gone_is_told_to_the_operator(tmp_path: Path) -> None:
    broker, before = Broker(), counters["file.dropped"]
    ours = shipping(tmp_path, broker)
    files = ours.take_in(ID, [spooled(tmp_path, CONTENT)])
    (ours.folder / f"{ID}.due.picture.jpg").unlink()
    ours.tick(1.0)
    ours.tick(2.0)
    header, body = part.decode(broker.sent[0], VERIFIER, fleet="f", device="d")
    assert (header.gone, body, counters["file.dropped"]) == (True, b"", before + 1)
    ours.again(ID, files)
    ours.tick(3.0)
    assert part.decode(broker.sent[1], VERIFIER, fleet="f", device="d")[0].gone


def test_a_broker_that_never_takes_parts_costs_the_file_and_not_the_agent(tmp_path: Path) -> None:
    broker = Broker(takes=False)
    ours = shipping(tmp_path, broker)
    ours.take_in(ID, [spooled(tmp_path, CONTENT)])
    for turn in range(10):
        ours.tick(turn * 20.0)
    assert (ours.waiting, list(ours.folder.iterdir())) == (0, [])


def test_the_spool_is_bounded_in_bytes_and_what_was_sent_goes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "MOST_BYTES", 250)
    broker = Broker()
    ours = shipping(tmp_path, broker)
    for number in range(3):
        ours.take_in(f"command-{number}", [spooled(tmp_path, bytes(100), f"{number}--a.bin")])
        if number == 1:
            ours.tick(1.0)
            ours.take(LinkPublished(1), 1.0)
    assert sorted(path.name for path in ours.folder.iterdir()) == [
        "command-1.due.a.bin",
        "command-2.due.a.bin",
    ]


def test_files_go_when_they_are_old_and_litter_goes_at_the_start(tmp_path: Path) -> None:
    broker = Broker(online=False)
    spooled(tmp_path, b"half", ".tmp--x")
    old = spooled(tmp_path, b"old", f"{ID}.due.old.bin")
    new = spooled(tmp_path, b"new", f"{ID}.due.new.bin")
    wall = new.stat().st_mtime
    shipping(tmp_path, broker, wall=wall + 10)
    assert {path.name for path in old.parent.iterdir()} == {old.name, new.name}
    ours = shipping(tmp_path, broker, now=5.0, wall=wall + 10)
    ours.tick(5.0 + spool.DUE_S)
    assert not list(ours.folder.iterdir())


def test_what_a_person_on_the_machine_asked_for_goes_after_an_hour(tmp_path: Path) -> None:
    ours = shipping(tmp_path, Broker())
    old, new = spooled(tmp_path, b"", "1--a.jpg"), spooled(tmp_path, b"", "2--a.jpg")
    os.utime(old, (old.stat().st_mtime - 4000,) * 2)
    ours.tick(1.0)
    assert (old.exists(), new.exists()) == (False, True)


def test_a_name_that_is_none_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(MessageInvalid, match="cannot be called so"):
        shipping(tmp_path, Broker()).take_in(ID, [spooled(tmp_path, b"", "1--a b")])
