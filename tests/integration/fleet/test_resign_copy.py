"""A timer signs from a copy of the operator's folder, and neither has to be told of the other."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

import pytest

from agent.errors import AgentError, ConfigInvalid, CopyBehind, LinkLost, MetadataRefused
from agent.fleet.repository.publisher import Publisher
from agent.fleet.repository.repository import opened
from agent.link.bulk import Bulk
from tests.simulators.edgectl import Edgectl
from tests.simulators.operating import ask, make_bundle, operator
from tests.simulators.tuf_topics import put, retained
from tests.simulators.unit_files import settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from agent.demo.broker import Broker

pytestmark = pytest.mark.mosquitto
FILES = {"m.tflite": b"0123456789" * 1000, "g.npy": b"input"}
NOT_DAILY = ("models", "fleet", "targets", "root-1", "root-2", "root-3", "control")


@pytest.fixture
def timer(edgectl: Edgectl, broker: Broker, tmp_path: Path) -> Edgectl:
    """What the timer runs, with a copy of what was published first, and the online key alone."""
    edgectl("resign")
    found = Edgectl(shutil.copytree(edgectl.folder, tmp_path / "timer"), broker.port)
    for name in NOT_DAILY:
        (found.folder / f"{name}.key").unlink()
    return found


def test_days_of_publishing_in_one_folder_and_signing_from_a_copy_need_nobody(
    edgectl: Edgectl, timer: Edgectl, shapes: Path, tmp_path: Path
) -> None:
    (command,) = settings("edgectl-resign.service")["ExecStart"]
    daily = command.partition("edgectl ")[2].partition(" --dir")[0].split()
    assert timer(*daily)["taken"] is None
    edgectl("publish", shapes)
    assert timer(*daily)["taken"] == 4
    assert timer(*daily)["taken"] is None
    assert edgectl("verify")["ok"]
    edgectl("publish", make_bundle(tmp_path / "b", "2.0.0"))
    edgectl("rotate", "fleet")
    edgectl("revoke", "shapes@1.0.0")
    assert timer(*daily)["taken"] == 9
    edgectl("gc")
    seen = edgectl("verify")
    assert seen["ok"]
    assert seen["places"]["folder"]["bundles"].keys() == {"shapes@2.0.0"}
    assert seen["places"]["folder"]["versions"]["timestamp"] == 10
    assert timer("verify")["ok"]


def test_only_files_that_are_not_here_or_damaged_are_fetched(
    edgectl: Edgectl, timer: Edgectl, shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: set[str] = set()
    chunks = Bulk.chunks

    def noted(bulk: Bulk, sha256: str, numbers: Sequence[int], most: int) -> Iterator[tuple[int, bytes]]:
        fetched.add(sha256)
        return chunks(bulk, sha256, numbers, most)

    edgectl("publish", shapes)
    timer("resign", "--from-broker")
    old = {path.name for path in (timer.folder / "tuf/blob").iterdir()}
    damaged = min(old)
    there = timer.folder / "tuf/blob" / damaged
    there.write_bytes(b"damaged")
    edgectl("publish", make_bundle(tmp_path / "b", "2.0.0", {**FILES, "more.txt": b"m"}, chunk=1024))
    monkeypatch.setattr(Bulk, "chunks", noted)
    timer("resign", "--from-broker")
    new = {path.name for path in (timer.folder / "tuf/blob").iterdir()} - old
    assert len(new) == 2
    assert fetched == new | {damaged}
    assert there.read_bytes() == (edgectl.folder / "tuf/blob" / damaged).read_bytes()


def test_a_copy_whose_key_was_replaced_says_so_and_signs_again_when_it_has_the_new_one(
    edgectl: Edgectl, timer: Edgectl
) -> None:
    edgectl("rotate", "online")
    with pytest.raises(ConfigInvalid, match="not those that the metadata names for timestamp"):
        timer("resign", "--from-broker")
    shutil.copy(edgectl.folder / "online.key", timer.folder)
    timer("resign", "--from-broker")
    edgectl("resign")
    assert edgectl("verify")["ok"]


def test_what_was_signed_and_not_sent_outlives_a_signature_of_the_timer(
    edgectl: Edgectl, timer: Edgectl, shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(_: Publisher) -> None:
        raise LinkLost("publish", "the broker", "it is away")

    with monkeypatch.context() as patch:
        patch.setattr(Publisher, "send", lost)
        with pytest.raises(LinkLost):
            edgectl("publish", shapes)
    with opened(timer.folder, ask) as repository:
        repository.renew("snapshot")
        repository.commit()
    timer("heal")
    timer("resign", "--from-broker")
    with pytest.raises(MetadataRefused, match=r"its models 1 is older than 2 here\. Run: edgectl heal"):
        edgectl("heal", "--from-broker")
    edgectl("heal")
    seen = edgectl("verify")
    assert seen["ok"]
    assert seen["places"]["127.0.0.1"]["bundles"].keys() == {"shapes@1.0.0"}
    assert timer("resign", "--from-broker")["taken"] == seen["places"]["folder"]["versions"]["timestamp"]


def test_two_signatures_with_one_number_stop_nobody(
    edgectl: Edgectl, timer: Edgectl, shapes: Path, tmp_path: Path
) -> None:
    timer.local("resign", "--local")
    edgectl("resign")
    timer("resign", "--from-broker")
    timer.local("resign", "--local")
    edgectl("publish", shapes)
    assert timer("resign", "--from-broker")["taken"] == 5
    assert timer("verify")["ok"]


def test_two_truths_are_not_mended_by_taking_one_of_them(
    edgectl: Edgectl, broker: Broker, shapes: Path, tmp_path: Path
) -> None:
    edgectl("resign")
    other = Edgectl(shutil.copytree(edgectl.folder, tmp_path / "other"), broker.port)
    other.local("publish", shapes, "--local")
    edgectl("publish", make_bundle(tmp_path / "b", "2.0.0"))
    before = files(other.folder)
    for words in (("resign", "--from-broker"), ("heal", "--from-broker")):
        with pytest.raises(MetadataRefused, match=r"its 2.models.json is another than the one here"):
            other(*words)
    assert files(other.folder) == before


def test_old_keys_that_a_thief_has_lead_no_copy_back_behind_the_root_that_replaced_them(
    edgectl: Edgectl, timer: Edgectl, broker: Broker, shapes: Path, tmp_path: Path
) -> None:
    thief = Edgectl(shutil.copytree(edgectl.folder, tmp_path / "thief"), broker.port)
    edgectl("rotate", "online")
    edgectl("rotate", "root")
    shutil.copy(edgectl.folder / "online.key", timer.folder)
    timer("resign", "--from-broker")
    before = files(timer.folder)
    for path in ("meta/2.root.json", "meta/3.root.json"):
        put(broker.port, path, b"")
    for _ in range(9):
        thief.local("resign", "--local")
    thief("publish", shapes)
    with pytest.raises(MetadataRefused, match=r"its root 1 is older than 3 here"):
        timer("heal", "--from-broker")
    assert files(timer.folder) == before
    assert timer("resign", "--from-broker")["taken"] is None  # and the broker is healed
    assert timer("verify")["ok"]


@pytest.mark.parametrize("rubbish", [b"", b"{}", b"x" * 100_000], ids=["gone", "other", "large"])
def test_what_is_not_proved_is_refused_in_words_and_nothing_is_signed(
    edgectl: Edgectl, timer: Edgectl, broker: Broker, shapes: Path, rubbish: bytes
) -> None:
    edgectl("publish", shapes)
    before = files(timer.folder)
    sound = retained(broker.port)
    here = {path.name for path in (timer.folder / "tuf/blob").iterdir()}
    news = [path for path in sound if path.startswith("blob/") and path.split("/")[1] not in here]
    for path in ("meta/2.models.json", news[0]):
        put(broker.port, path, rubbish)
        there = retained(broker.port)
        with pytest.raises(AgentError, match=r"edgectl heal|another backup|is the most"):
            timer("resign", "--from-broker")
        assert files(timer.folder) == before
        assert retained(broker.port) == there
        put(broker.port, path, sound[path])
    timer("resign", "--from-broker")


def test_what_a_kill_has_left_of_taking_over_goes_and_without_the_option_nothing_is_taken(
    edgectl: Edgectl, timer: Edgectl, shapes: Path
) -> None:
    edgectl("publish", shapes)
    left = timer.folder / "tuf/.take-left"
    left.mkdir()
    (left / "half").touch()
    with pytest.raises(CopyBehind, match="another copy of it has signed timestamp 3"):
        timer("resign")
    assert left.exists()
    assert timer.code("resign", "--from-broker") == 0
    assert not left.exists()


def test_a_folder_in_which_nothing_was_done_for_weeks_goes_on_where_the_timer_is(
    broker: Broker, quick_keys: None, shapes: Path, tmp_path: Path
) -> None:
    asleep = Edgectl(operator(tmp_path / "asleep", lambda: time.time() - 20 * 86400), broker.port)
    timer = Edgectl(shutil.copytree(asleep.folder, tmp_path / "timer"), broker.port)
    timer("resign", "--from-broker")
    assert asleep.code("verify") == 1
    asleep("publish", shapes)
    assert asleep("verify")["ok"]


def test_the_broker_cannot_be_asked_and_left_alone(edgectl: Edgectl) -> None:
    with pytest.raises(ConfigInvalid, match=r"--local leaves the broker alone\. Leave one of them out"):
        edgectl("resign", "--from-broker", "--local")


def files(folder: Path) -> dict[Path, bytes]:
    """All that is in a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
