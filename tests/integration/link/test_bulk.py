"""Fetching published files from a real mosquitto: what is there, what is not, and what one may not see."""

from __future__ import annotations

import hashlib
import time
from contextlib import closing
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest

from agent.errors import Absent, FetchFailed, LinkLost
from agent.link.bulk import Bulk
from agent.link.settings import LinkSettings
from tests.simulators.broker_proxy import BrokerProxy
from tests.simulators.retained import Retained
from tests.simulators.strict_broker import strict_broker

if TYPE_CHECKING:
    from pathlib import Path

    from agent.demo.broker import Broker
    from agent.link.versions import Choice

pytestmark = pytest.mark.mosquitto

SETTINGS = LinkSettings(host="127.0.0.1", port=0, client_id="")
QUICK_S = 1.0
"""How long to wait for answers where none comes."""
BOTH = pytest.mark.parametrize("protocol", ["5", "3.1.1"])
DATA = Random(1).randbytes(40 * 5000 + 77)
SHA = hashlib.sha256(DATA).hexdigest()
CHUNKS = [DATA[at : at + 5000] for at in range(0, len(DATA), 5000)]
BLOB = {f"blob/{SHA}/{number}": chunk for number, chunk in enumerate(CHUNKS)}


def bulk(port: int, protocol: Choice = "auto", window: int = 4, answer_timeout_s: float = 10) -> Bulk:
    settings = replace(SETTINGS, port=port, protocol=protocol, answer_timeout_s=answer_timeout_s)
    return Bulk(settings, "barn", "cam-1", window)


def taken(fetch: Bulk, found: dict[int, bytes]) -> None:
    for number, data in fetch.chunks(SHA, range(41), 5000):
        found.setdefault(number, data)


@pytest.fixture
def shelf(broker: Broker) -> Retained:
    made = Retained(broker.port, "barn")
    made.show({"hint": b"{}", "meta/timestamp.json": b"now", **BLOB})
    return made


@pytest.mark.parametrize("window", [1, 4, 16])
@pytest.mark.parametrize("protocol", ["5", "3.1.1", "auto"])
def test_small_files_and_chunks_come_whole(
    broker: Broker, shelf: Retained, protocol: Choice, window: int
) -> None:
    with closing(bulk(broker.port, protocol, window)) as fetch:
        assert fetch.get("meta/timestamp.json", 100) == b"now"
        assert dict(fetch.chunks(SHA, range(41), 5000)) == dict(enumerate(CHUNKS))
        assert fetch.get("hint", 100) == b"{}"
        assert dict(fetch.chunks(SHA, [40, 7], 5000)) == {7: CHUNKS[7], 40: CHUNKS[40]}


@BOTH
def test_a_file_that_is_not_there_is_absent_in_half_a_second(
    broker: Broker, shelf: Retained, protocol: Choice
) -> None:
    with closing(bulk(broker.port, protocol)) as fetch:
        took = []
        for _ in range(5):
            began = time.monotonic()
            with pytest.raises(Absent, match=r"2\.root\.json.*does not have 1 of 1"):
                fetch.get("meta/2.root.json", 100)
            took.append(time.monotonic() - began)
        assert min(took) < 0.5  # the machine may be busy
        assert fetch.get("hint", 100) == b"{}"


def test_the_other_chunks_come_when_some_are_not_there(broker: Broker, shelf: Retained) -> None:
    gone = {0, 9, 10, 11, 12, 40}
    shelf.put({f"blob/{SHA}/{number}": b"" for number in gone})
    with closing(bulk(broker.port)) as fetch:
        found = dict[int, bytes]()
        with pytest.raises(Absent, match="does not have 6 of 41"):
            taken(fetch, found)
        assert found == {n: chunk for n, chunk in enumerate(CHUNKS) if n not in gone}


@BOTH
def test_a_chunk_that_was_taken_is_asked_for_again_where_it_was_wrong(
    broker: Broker, shelf: Retained, protocol: Choice
) -> None:
    with closing(bulk(broker.port, protocol)) as fetch:
        for _ in range(5):
            assert dict(fetch.chunks(SHA, [3], 5000)) == {3: CHUNKS[3]}


def test_more_bytes_than_expected_fail_the_fetch_and_not_the_connection(
    broker: Broker, shelf: Retained
) -> None:
    with closing(bulk(broker.port)) as fetch:
        with pytest.raises(FetchFailed, match="5000 bytes, and 4999 is the most"):
            list(fetch.chunks(SHA, range(4), 4999))
        with pytest.raises(FetchFailed, match="3 bytes, and 2 is the most"):
            fetch.get("meta/timestamp.json", 2)
        assert fetch.get("meta/timestamp.json", 3) == b"now"


def test_a_name_that_would_match_many_topics_is_refused(broker: Broker) -> None:
    with closing(bulk(broker.port)) as fetch:
        for path in ("meta/+", "meta/#", "meta/\0"):
            with pytest.raises(FetchFailed, match="no file can have this name"):
                fetch.get(path, 10)


@BOTH
def test_a_packet_above_what_is_announced_is_not_taken(
    broker: Broker, shelf: Retained, protocol: Choice
) -> None:
    shelf.put({f"blob/{SHA}/5": bytes((1 << 20) + 5000)})
    with closing(bulk(broker.port, protocol)) as fetch, pytest.raises((Absent, LinkLost)) as caught:
        list(fetch.chunks(SHA, range(41), 5000))
    expected = "does not have 1 of 41" if protocol == "5" else "it began a packet of 1053"
    assert expected in str(caught.value)


READ = "topic read edge/v1/barn/tuf/#"
ECHO = "topic readwrite edge/v1/barn/d/cam-1/echo/+"


@BOTH
def test_absence_takes_its_time_where_the_echo_is_not_granted(tmp_path: Path, protocol: Choice) -> None:
    with strict_broker(tmp_path, [READ]) as (free, ruled):
        Retained(free, "barn").put({"hint": b"{}", **BLOB})
        with closing(bulk(ruled, protocol, answer_timeout_s=QUICK_S)) as fetch:
            assert fetch.get("hint", 100) == b"{}"
            began = time.monotonic()
            with pytest.raises(Absent):
                fetch.get("meta/2.root.json", 100)
            assert QUICK_S <= time.monotonic() - began < 8
            assert dict(fetch.chunks(SHA, range(41), 5000)) == dict(enumerate(CHUNKS))


@BOTH
def test_what_the_broker_filters_at_delivery_is_absent(tmp_path: Path, protocol: Choice) -> None:
    with strict_broker(tmp_path, [ECHO]) as (free, ruled):
        Retained(free, "barn").put({"hint": b"{}"})
        with closing(bulk(ruled, protocol, answer_timeout_s=QUICK_S)) as fetch, pytest.raises(Absent):
            fetch.get("hint", 100)


@BOTH
def test_what_is_published_while_a_chunk_is_asked_for_neither_stops_nor_spoils_the_rest(
    broker: Broker, shelf: Retained, protocol: Choice
) -> None:
    found = dict[int, bytes]()
    with closing(bulk(broker.port, protocol)) as fetch:
        for number, data in fetch.chunks(SHA, range(41), 5000):
            assert number not in found
            found[number] = data
            shelf.put({f"blob/{SHA}/{n}": CHUNKS[n] for n in (number, 40, 41 - number) if n < 41})
    assert found == dict(enumerate(CHUNKS))


def test_a_killed_broker_ends_it_and_it_stays_ended(broker: Broker, shelf: Retained) -> None:
    with closing(bulk(broker.port)) as fetch:
        chunks = fetch.chunks(SHA, range(41), 5000)
        next(chunks)
        broker.cut()
        with pytest.raises(LinkLost, match=r"fetch from 127\.0\.0\.1.*the broker closed the connection"):
            list(chunks)
        broker.restore()
        with pytest.raises(LinkLost, match="the broker closed the connection"):
            fetch.get("hint", 100)


def test_a_link_that_goes_silent_is_left_after_the_time_for_answers(broker: Broker, shelf: Retained) -> None:
    with BrokerProxy(broker.port) as proxy, closing(bulk(proxy.port, answer_timeout_s=QUICK_S)) as fetch:
        with pytest.raises(Absent):
            fetch.get("meta/2.root.json", 100)
        proxy.silent = True
        began = time.monotonic()
        with pytest.raises(LinkLost, match="gone silent"):
            fetch.get("hint", 100)
        assert QUICK_S <= time.monotonic() - began < 8


def test_a_pause_of_the_caller_is_not_the_brokers_silence(broker: Broker, shelf: Retained) -> None:
    with closing(bulk(broker.port, answer_timeout_s=QUICK_S)) as fetch:
        found = dict[int, bytes]()
        for number, data in fetch.chunks(SHA, range(41), 5000):
            found[number] = data
            if number == 20:
                time.sleep(1.5 * QUICK_S)
        assert found == dict(enumerate(CHUNKS))


def test_no_broker_at_all_is_a_lost_link(broker: Broker) -> None:
    broker.stop()
    with closing(bulk(broker.port)) as fetch:
        with pytest.raises(LinkLost, match="connection refused"):
            fetch.get("hint", 100)
        with pytest.raises(LinkLost, match="connection refused"):
            fetch.get("hint", 100)


def test_many_chunks_are_never_lost_whatever_the_broker_queues(tmp_path: Path) -> None:
    small = {f"blob/{SHA}/{number}": b"%d" % number for number in range(2048)}
    limits = ["max_queued_messages 10", "max_inflight_messages 5"]
    with strict_broker(tmp_path, [READ, ECHO], *limits) as (free, ruled):
        Retained(free, "barn").put(small)
        with closing(bulk(ruled, window=16)) as fetch:
            assert len(dict(fetch.chunks(SHA, range(2048), 5000))) == 2048


def test_closing_twice_is_fine_and_nothing_comes_afterwards(broker: Broker, shelf: Retained) -> None:
    fetch = bulk(broker.port)
    fetch.get("hint", 100)
    fetch.close()
    fetch.close()
    with pytest.raises(LinkLost, match="the connection is closed"):
        fetch.get("hint", 100)
