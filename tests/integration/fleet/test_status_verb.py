"""edgectl status against a real broker, and devices that say what the test tells them to."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from agent.documents import reported, vitals
from agent.documents.desired import Wanted
from agent.documents.reported import Reported, Serving, Standing
from agent.documents.vitals import PipelineVitals, Vitals
from agent.fleet import inventory, kept
from agent.fleet.inventory import Entry
from agent.fleet.keys import make_keys
from agent.fleet.looking import live
from agent.fleet.looking.judging import Limits
from agent.fleet.looking.reading import Reader
from agent.fleet.looking.whom import meant
from agent.link import topics
from agent.link.settings import LinkSettings, Message
from agent.trust.signing import Signer, generate
from tests.simulators.retained import send

if TYPE_CHECKING:
    from agent.demo.broker import Broker
    from tests.simulators.edgectl import Edgectl

pytestmark = pytest.mark.mosquitto
ONLINE = b'{"v": 1, "online": true, "version": "0.2.0"}'


def said(broker: Broker, *messages: tuple[str, bytes]) -> None:
    """Have the broker retain what devices say."""
    settings = LinkSettings("127.0.0.1", broker.port, "devices", protocol="3.1.1")
    send(settings, [Message(topic, payload, 1, retain=True) for topic, payload in messages])


def of_vitals(name: str, signer: Signer | None, **more: Any) -> tuple[str, bytes]:
    pipeline = PipelineVitals(state="running", model="shapes@1.1.0", fps=12.5, p95_ms=8.25)
    given = {
        "at": int(time.time()),
        "synced": True,
        "agent": "0.2.0",
        "pipelines": {"door": pipeline},
        **more,
    }
    document = Vitals(fleet="default", device=name, **given)
    return topics.up_vitals("default", name), vitals.encode(document, signer)


@pytest.fixture
def signers(edgectl: Edgectl) -> dict[str, Signer]:
    names = ("gate-1", "gate-2", "roof-1", "roof-2")
    make_keys(edgectl.folder, names)
    inventory.keep(edgectl.folder, Entry(name="gate-2", groups=("gates",)))
    return {name: Signer.from_pem((edgectl.folder / f"devices/{name}.key").read_bytes()) for name in names}


@pytest.mark.parametrize("at_once", [250, 2])
def test_each_device_is_shown_as_far_as_it_is_proved_and_red_rows_come_first(  # noqa: PLR0917
    broker: Broker,
    edgectl: Edgectl,
    signers: dict[str, Signer],
    capsys: pytest.CaptureFixture[str],
    at_once: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kept, "AT_ONCE", at_once)
    serving = Serving(name="shapes", version="1.0.0")
    wanted = Wanted(name="shapes", version="1.1.0")
    door = Standing(state="rejected", serving=serving, wanted=wanted, reason="golden\x1b[2J 3")
    report = Reported(fleet="default", device="roof-1", generation=4, at=1, pipelines={"door": door})
    thief = Signer.from_pem(generate()[0])
    said(
        broker,
        *((topics.up_state("default", name), ONLINE) for name in ("gate-1", "gate-2", "roof-1")),
        of_vitals("gate-1", signers["gate-1"], temperature_c=51.5, backlog=2, oldest_s=3),
        of_vitals("gate-2", thief),
        (topics.up_reported("default", "roof-1"), reported.encode(report, signers["roof-1"])),
    )
    found = edgectl("status")
    assert list(found["devices"]) == ["roof-2", "gate-2", "roof-1", "gate-1"]
    assert (found["of"], found["online"], found["red"]) == (4, 3, 3)
    red = {name: list(one["red"]) for name, one in found["devices"].items()}
    assert red == {
        "roof-2": ["unknown"],
        "gate-2": ["unproved"],
        "roof-1": ["stale", "rejected"],
        "gate-1": [],
    }
    assert edgectl.code("status") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].split()[:9] == ["gate-1", "0.2.0", "shapes@1.1.0", "12.5", "8.2", "ms", "52", "°C", "2"]
    assert "golden\N{REPLACEMENT CHARACTER}[2J 3" in lines[3]
    assert lines[-1].startswith("4 devices: 3 online, 3 red (1 unknown, 1 unproved, 1 stale, 1 rejected)")
    assert list(edgectl("status", "--group", "gates")["devices"]) == ["gate-2"]
    assert list(edgectl("status", "gate-1", "roof-2")["devices"]) == ["roof-2", "gate-1"]
    assert edgectl("status", "gate-2", "--unsigned")["red"] == 0


@pytest.mark.parametrize("at_once", [250, 2])
def test_who_watches_hears_of_each_change(  # noqa: PLR0917
    broker: Broker,
    edgectl: Edgectl,
    signers: dict[str, Signer],
    capsys: pytest.CaptureFixture[str],
    at_once: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "AT_ONCE", at_once)
    monkeypatch.setattr(live, "_EVERY_S", 0.1)
    monkeypatch.setattr(live, "_ASK_S", 0.5)
    entries = meant(edgectl.folder, [], [])
    settings = LinkSettings("127.0.0.1", broker.port, "edgectl-test", backoff_base_s=0.05)
    options = live.Options(Reader(edgectl.folder, "default"), settings, "default", entries, Limits())
    show, stop, begun = live.Changes(as_json=False), threading.Event(), threading.Event()

    def shown(judged: live.Judged, now_s: float, note: str) -> None:
        show(judged, now_s, note)
        begun.set()
        if any(one.device == "gate-1" and one.pipelines and not red for one, red in judged):
            stop.set()

    watching = threading.Thread(target=live.watch, args=(options, shown, lambda: not stop.is_set()))
    watching.start()
    try:
        assert begun.wait(60)
        state = (topics.up_state("default", "gate-1"), ONLINE)
        said(broker, state, of_vitals("gate-1", signers["gate-1"]))
        assert stop.wait(60)
    finally:
        stop.set()
        watching.join(60)
    lines = capsys.readouterr().out.splitlines()
    assert lines[5].startswith("4 devices: 0 online, 4 red")
    assert lines[-1].endswith(" gate-1: well")


def test_changes_are_json_lines_where_programs_read(
    capsys: pytest.CaptureFixture[str], edgectl: Edgectl, signers: dict[str, Signer]
) -> None:
    from agent.fleet.looking.facts import Facts

    show = live.Changes(as_json=True)
    one = Facts("gate-1", online=True)
    for red in ({}, {}, {"hot": "90 °C"}):
        show([(one, red)], 1.0, "")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["red"] for line in lines] == [{}, {"hot": "90 °C"}]
