"""edgectl deploy and models against a real broker, and a device that reports what the test tells it to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from agent.documents import desired
from agent.documents.desired import Desired, Probation, Wanted
from agent.documents.policy import Policy
from agent.errors import AgentError, BundleRefused, ConfigInvalid, LinkLost, MetadataRefused
from agent.fleet.deploying.deploy import Deployed, Options
from agent.fleet.deploying.deploy import deploy as deploy_all
from agent.fleet.deploying.wishes import Change
from agent.fleet.repository.desired import path_of
from agent.fleet.repository.repository import opened
from agent.fleet.talk import Talk
from agent.link import topics
from agent.link.settings import LinkSettings
from agent.trust.signing import Verifier
from tests.simulators import operators_folder
from tests.simulators.operators_folder import PASSPHRASE
from tests.simulators.puppet_device import puppet, standing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from agent.demo.broker import Broker
    from agent.trust.signing import Signer

pytestmark = pytest.mark.mosquitto
DOWN = topics.down_desired("demo", "gate-1")
ONE, TWO = Wanted(name="shapes", version="1.0.0"), Wanted(name="shapes", version="1.1.0")


def settings(broker: Broker, name: str = "edgectl-test") -> LinkSettings:
    return LinkSettings("127.0.0.1", broker.port, name, backoff_base_s=0.05, backoff_cap_s=0.2)


def options(folder: Path, broker: Broker, wanted: Wanted, pipeline: str = "door", **more: Any) -> Options:
    return Options(
        folder, "demo", ["gate-1"], Change(pipeline, wanted), settings(broker), lambda: PASSPHRASE, **more
    )


def deploy(wanted: Options, seen: list[str] | None = None) -> Deployed:
    """Deploy to one device; note the states that are shown."""
    [done] = deploy_all(wanted, lambda _, found: seen.append(found.state) if seen is not None else None)
    return done


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def control(keys: Path) -> Signer:
    return operators_folder.make(keys, "gate-1", "gate-2", models=("shapes@1.0.0", "shapes@1.1.0"))


def kept(broker: Broker, topic: str = DOWN) -> bytes | None:
    with Talk(settings(broker, "look"), [topic], topics.echo("demo", "gate-1")) as talk:
        return talk.kept(10).get(topic)


def put(broker: Broker, payload: bytes) -> None:
    with Talk(settings(broker, "put"), [], topics.echo("demo", "gate-1")) as talk:
        talk.publish(DOWN, payload, 10)


@contextmanager
def waiting(wanted: Options) -> Iterator[Future[Deployed]]:
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(deploy, replace(wanted, wait=True, timeout_s=30))


def test_each_deploy_is_the_next_generation_and_keeps_the_other_pipelines(
    broker: Broker, keys: Path, control: Signer
) -> None:
    first = deploy(options(keys, broker, ONE))
    assert (first.wish.generation, first.progress.state, first.notes) == (1, "waiting", ())
    change = Change("yard", TWO, frames=7, deadline_s=60)
    second = deploy(replace(options(keys, broker, ONE), change=change))
    assert second.wish.models == {"door": ONE, "yard": TWO}
    assert (second.wish.probation, second.wish.deadline_s) == (Probation(frames=7), 60)
    payload = kept(broker)
    assert payload == path_of(keys, "gate-1").read_bytes()
    assert payload is not None
    verifiers = [Verifier.from_pem(control.public_pem())]
    assert desired.decode(payload, verifiers, fleet="demo", device="gate-1") == second.wish
    third = deploy(options(keys, broker, TWO))
    assert (third.wish.generation, third.wish.probation.frames, third.wish.deadline_s) == (3, 7, 60)


def test_the_higher_generation_of_folder_and_broker_wins_and_the_devices_word_is_a_floor(
    broker: Broker, keys: Path, control: Signer
) -> None:
    theirs = Desired(fleet="demo", device="gate-1", generation=41, models={"yard": TWO})
    put(broker, desired.encode(theirs, control))
    done = deploy(options(keys, broker, ONE))
    assert (done.wish.generation, done.wish.models) == (42, {"yard": TWO, "door": ONE})
    with puppet(broker.port, "gate-1", keys) as device:
        device.report(90)
    assert deploy(options(keys, broker, ONE)).wish.generation == 91


def test_a_pipeline_that_the_device_does_not_have_is_told_at_once(
    broker: Broker, keys: Path, control: Signer
) -> None:
    first = deploy(options(keys, broker, ONE))
    with puppet(broker.port, "gate-1", keys) as device:
        device.report(1, door=standing(first.wish, "door", "active"))
    assert deploy(options(keys, broker, ONE)).notes == ()
    done = deploy(options(keys, broker, ONE, "dor"))
    assert done.notes == ("the device has no pipeline dor, but: door",)


def test_a_desired_state_that_nobody_signed_is_told_and_not_taken_up(
    broker: Broker, keys: Path, control: Signer
) -> None:
    forged = Desired(fleet="demo", device="gate-1", generation=1 << 50, models={"evil": TWO})
    put(broker, desired.encode(forged))
    done = deploy(options(keys, broker, ONE))
    assert (done.wish.generation, done.wish.models) == (1, {"door": ONE})
    assert "the broker's desired state does not count: it is not signed" in done.notes[0]


def test_waiting_ends_well_when_the_model_serves(broker: Broker, keys: Path, control: Signer) -> None:
    seen: list[str] = []
    with puppet(broker.port, "gate-1", keys) as device, ThreadPoolExecutor(1) as pool:
        wanted = replace(options(keys, broker, ONE), wait=True, timeout_s=30)
        done = pool.submit(deploy, wanted, seen)
        wish = device.wish()
        for state in ("downloading", "proving", "probation", "active"):
            device.report(wish.generation, door=standing(wish, "door", state))
        assert done.result(20).progress.good
    assert seen[0] == "waiting"
    assert seen[-1] == "active"


@pytest.mark.parametrize("state", ["rejected", "rolled_back"])
def test_waiting_ends_badly_with_the_devices_reason(
    broker: Broker, keys: Path, control: Signer, state: str
) -> None:
    with puppet(broker.port, "gate-1", keys) as device, waiting(options(keys, broker, ONE)) as done:
        wish = device.wish()
        device.report(wish.generation, door=standing(wish, "door", state, reason="golden 3 differs"))
        found = done.result(20).progress
    assert (found.state, found.reason, found.good) == (state, "golden 3 differs", False)


def test_who_waits_keeps_nobody_from_the_folder(broker: Broker, keys: Path, control: Signer) -> None:
    with puppet(broker.port, "gate-1", keys) as device, waiting(options(keys, broker, ONE)) as done:
        first = device.wish()
        second = deploy(replace(options(keys, broker, TWO), settings=settings(broker, "another"))).wish
        assert (first.generation, second.generation) == (1, 2)
        device.report(2, door=standing(second, "door", "active"))
        found = done.result(20).progress
    assert (found.state, found.good) == ("superseded", False)


def test_waiting_outlives_the_broker(broker: Broker, keys: Path, control: Signer) -> None:
    with puppet(broker.port, "gate-1", keys) as device, waiting(options(keys, broker, ONE)) as done:
        wish = device.wish()
        broker.cut()
        broker.restore()
        device.online()
        device.report(wish.generation, door=standing(wish, "door", "active"))
        assert done.result(20).progress.good


def test_a_report_that_comes_while_something_is_sent_is_not_lost(
    broker: Broker, keys: Path, control: Signer
) -> None:
    up = topics.up_reported("demo", "gate-1")
    listening = Talk(settings(broker), [up], topics.echo("demo", "gate-1"))
    with puppet(broker.port, "gate-1", keys) as device, listening as talk:
        talk.kept(10)
        device.report(1)
        talk.publish(DOWN, b"anything", 10)
        message = talk.next(5)
    assert message is not None
    assert message.topic == up


def test_a_report_with_the_wrong_signature_says_nothing(
    broker: Broker, keys: Path, control: Signer, tmp_path: Path
) -> None:
    operators_folder.make(tmp_path / "other", "gate-1")
    with puppet(broker.port, "gate-1", tmp_path / "other") as device:
        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(deploy, replace(options(keys, broker, ONE), wait=True, timeout_s=4))
            wish = device.wish()
            device.report(wish.generation, door=standing(wish, "door", "active"))
            found = done.result(20).progress
        assert not found.good
        assert (
            "no last word after 4 s. what the device reports does not count: it is not signed" in found.reason
        )
        trusting = replace(options(keys, broker, ONE), wait=True, unsigned=True, timeout_s=20)
        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(deploy, trusting)
            wish = device.wish()
            device.report(wish.generation, door=standing(wish, "door", "active"))
            assert done.result(20).progress.good


@pytest.mark.parametrize(
    ("wanted", "error", "said"),
    [
        (Wanted(name="shapes", version="2"), ConfigInvalid, "Published are: shapes@1.0.0, shapes@1.1.0"),
        (Wanted(name="x", version="2"), ConfigInvalid, "x@2: it is not published"),
        (ONE, BundleRefused, "policy.min_versions: 1.1.0 is the lowest"),
    ],
)
def test_what_the_device_would_refuse_is_refused_before_anything_is_sent(  # noqa: PLR0917
    broker: Broker, keys: Path, control: Signer, wanted: Wanted, error: type[AgentError], said: str
) -> None:
    policy = Policy(min_versions={"shapes": "1.1.0"})
    operators_folder.publish(keys, policy=policy)
    with pytest.raises(error, match=said):
        deploy(options(keys, broker, wanted))
    assert kept(broker) is None
    assert not path_of(keys, "gate-1").exists()


def test_a_control_key_that_no_device_believes_is_refused(
    broker: Broker, keys: Path, control: Signer, tmp_path: Path
) -> None:
    other = operators_folder.make(tmp_path / "other")
    operators_folder.publish(keys, control=other)
    with pytest.raises(ConfigInvalid, match="no device takes its word"):
        deploy(options(keys, broker, ONE))


def test_a_folder_without_a_repository_or_with_a_damaged_one_is_told(
    broker: Broker, keys: Path, control: Signer
) -> None:
    [models] = (keys / "tuf/meta").glob("2.models.json")
    models.write_text('{"signed": {"targets": []}}')
    with pytest.raises(MetadataRefused, match="models"):
        deploy(options(keys, broker, ONE))
    for one in (keys / "tuf/meta").iterdir():
        one.unlink()
    with pytest.raises(ConfigInvalid, match=r"there is none\. Make one with: edgectl init"):
        deploy(options(keys, broker, ONE))


def test_nobody_deploys_while_the_keys_are_replaced(
    broker: Broker, keys: Path, control: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.fleet.repository.tree._WAIT_S", 0.3)
    with (
        opened(keys, lambda: PASSPHRASE),
        pytest.raises(AgentError, match="another edgectl does so already"),
    ):
        deploy(options(keys, broker, ONE))
    assert kept(broker) is None


def test_a_broker_that_is_away_is_told_in_a_line_and_nothing_else_is_said(
    broker: Broker, capfd: pytest.CaptureFixture[str]
) -> None:
    broker.stop()
    with Talk(settings(broker), [], topics.echo("demo", "gate-1")) as talk, pytest.raises(LinkLost) as caught:
        talk.kept(0.3)
    told = f"reach broker 127.0.0.1:{broker.port}: connection refused. Check that a broker listens on port "
    assert str(caught.value) == told + str(broker.port)
    assert capfd.readouterr().err == ""
