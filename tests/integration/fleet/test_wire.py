"""What a publisher sends arrives, and is confirmed, though the link is lost in the middle of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.errors import FetchFailed, LinkLost
from agent.fleet.repository import wire as module
from agent.fleet.repository.catalog import Piece
from agent.fleet.repository.wire import Wire
from agent.link.settings import LinkSettings
from tests.simulators.broker_proxy import BrokerProxy
from tests.simulators.tuf_topics import retained

if TYPE_CHECKING:
    from pathlib import Path

    from agent.demo.broker import Broker

pytestmark = pytest.mark.mosquitto


def pieces(count: int, size: int = 3000) -> list[Piece]:
    return [
        Piece(f"meta/{number}.json", size, content=b"%04d" % number * (size // 4)) for number in range(count)
    ]


def settings(port: int) -> LinkSettings:
    return LinkSettings("127.0.0.1", port, "test", backoff_base_s=0.05)


def test_what_a_lost_link_leaves_unconfirmed_is_sent_again(broker: Broker) -> None:
    sent = pieces(400)
    confirmed: list[int] = []
    with BrokerProxy(broker.port) as proxy, Wire(settings(proxy.port), "default") as wire:

        def step(size: int) -> None:
            confirmed.append(size)
            if len(confirmed) in (50, 120, 300):
                proxy.drop()

        wire.send(sent, step)
    assert len(confirmed) == len(sent)
    assert retained(broker.port) == {piece.path: piece.content for piece in sent}


def test_a_link_that_stays_lost_is_told_with_how_to_go_on(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_AWAY_S", 1.0)
    with (
        Wire(settings(broker.port), "default") as wire,
        pytest.raises(LinkLost, match="edgectl heal sends the rest"),
    ):
        wire.send(pieces(400), lambda _: broker.cut())


def test_a_file_that_has_become_shorter_ends_it_before_a_wrong_piece_is_sent(
    broker: Broker, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    with Wire(settings(broker.port), "default") as wire:
        with pytest.raises(FetchFailed, match=r"it is shorter than it was. Copy it from a backup"):
            wire.send([Piece("meta/x.json", 9, file=tmp_path / "file")])
        wire.retain("edge/v1/default/tuf/hint", b"x")
        assert retained(broker.port) == {"hint": b"x"}
        wire.clear(["hint"])
    assert retained(broker.port) == {}
