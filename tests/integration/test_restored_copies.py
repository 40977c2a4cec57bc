"""Old copies are put back, cards are cloned: what is acknowledged is stored, and nothing new is dropped."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

import pytest

from agent.errors import EXIT_CONFIG
from tests.simulators.field import Field, asked, copy, until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.mosquitto


def test_an_old_copy_of_the_card_costs_no_result_and_makes_none_twice(tmp_path: Path) -> None:
    with Field(tmp_path, "gate") as field:
        with field.agent("gate") as agent:
            agent.until_inferred(20)
            until(lambda: agent.status()["store"]["acked"], "something is acknowledged")
            field.stop_collector()
            agent.until_inferred(20)
            agent.process.kill()
            agent.process.wait()
        card = copy(agent.data, "card")  # the log of a killed agent beside it, and a backlog in it
        field.take_stock(copy(agent.data, "stock"))
        field.start_collector()
        with field.agent("gate") as agent:
            agent.until_inferred(20)
            field.end(agent)
        copy(card, "data")
        with field.agent("gate") as agent:
            agent.until_inferred(20)
            field.end(agent)
        totals = field.stop_collector()
        found = field.accounts()
    assert len([one for one in field.known if one[0] == "result"]) == 3
    assert (found.missing, found.lost, found.duplicated) == (0, 0, 0)
    assert totals["refused"] == 0
    # The killed run's ledger is behind its results by what it had not told yet.
    assert len(found.unbalanced) <= 1, found.unbalanced


def test_two_copies_of_a_device_do_not_mix_and_the_operator_is_told(tmp_path: Path) -> None:
    with Field(tmp_path, "gate") as field:
        with field.agent("gate") as agent:
            agent.until_inferred(20)
            field.end(agent)
        (tmp_path / "twin").mkdir()
        shutil.copytree(agent.data, tmp_path / "twin" / "data", ignore=shutil.ignore_patterns("*.sock"))
        with field.agent("gate") as first:
            first.until_inferred(5)
            until(lambda: first.status()["link"]["state"] == "online", "the first is online")
            began = time.monotonic()
            with field.agent("gate", place="twin") as second:
                second.until_inferred(5)
                until(
                    lambda: all("device.doubled" in one.status()["events"] for one in (first, second)),
                    "both are told",
                )
                tries = first.status()["events"]["link.online"] + second.status()["events"]["link.online"]
                assert tries < 4 * (time.monotonic() - began)
                first.process.kill()  # else it would wait for its turn
                first.process.wait()
                until(lambda: second.status()["link"]["state"] == "online", "the second is online again")
                field.end(second)
        field.take_stock(copy(first.data, "stock"))
        with field.agent("gate") as first:
            first.until_inferred(5)
            until(lambda: first.status()["link"]["state"] == "online", "the first is online again")
            field.end(first)
        field.stop_collector()
        found = field.accounts()
    assert "device.doubled" in first.log
    assert len([one for one in field.known if one[0] == "result"]) == 4
    assert (found.missing, found.lost, found.duplicated, found.unbalanced) == (0, 0, 0, ())


def test_a_copied_folder_is_not_delivered_under_another_devices_name(tmp_path: Path) -> None:
    with Field(tmp_path, "gate", "yard") as field:
        with field.agent("gate") as agent:
            agent.until_inferred(5)
            field.stop_collector()
            agent.until_inferred(5)
            agent.process.kill()
            agent.process.wait()
        (tmp_path / "yard").mkdir()
        shutil.copytree(agent.data, tmp_path / "yard" / "data", ignore=shutil.ignore_patterns("*.sock"))
        field.start_collector()
        with field.agent("yard") as yard:
            assert yard.process.wait(20) == EXIT_CONFIG
        assert "records of the device 'gate' wait in it, and this one is 'yard'" in yard.log
        assert "Traceback" not in yard.log
        shutil.rmtree(yard.data)
        with field.agent("yard", key="gate") as yard:  # a new folder, and the copied key
            yard.until_inferred(5)
            until(
                lambda: "refusal=signature" in (tmp_path / "collector.log").read_text(),
                "the collector refuses what is signed with another's key",
            )
            yard.process.kill()
        field.stop_collector()
    assert {name for (name,) in asked(field.database, "SELECT DISTINCT device FROM records")} == {"gate"}


def test_a_collector_that_is_set_back_knows_what_it_lost_and_takes_all_that_is_new(tmp_path: Path) -> None:
    with Field(tmp_path, "gate") as field:
        with field.agent("gate") as agent:
            agent.until_inferred(20)
            until(lambda: agent.status()["store"]["acked"] > 10, "something is acknowledged")
            field.stop_collector()
            backup = shutil.copy(field.database, tmp_path / "backup.db")
            at_backup = asked(field.database, "SELECT max(last) FROM have WHERE stream = 'result'")[0][0]
            field.start_collector()
            until(
                lambda: agent.status()["store"]["streams"]["result"]["acked"] > at_backup + 40,
                "more is acknowledged",
            )
            field.stop_collector()
            for name in ("fleet.db-wal", "fleet.db-shm"):
                (tmp_path / name).unlink(missing_ok=True)
            shutil.copy(backup, field.database)
            agent.until_inferred(20)
            field.start_collector()
            agent.until_inferred(20)
            field.end(agent)
        field.stop_collector()
        found = field.accounts()
    gaps = asked(field.database, "SELECT first, last, reason FROM gaps WHERE stream = 'result'")
    assert {reason for _, _, reason in gaps} == {"delivered_elsewhere"}
    assert gaps[0][0] == at_backup + 1
    assert found.lost >= 40
    assert (found.missing, found.duplicated) == (0, 0)
    [(last,)] = asked(field.database, "SELECT max(last) FROM have WHERE stream = 'result'")
    [(rows,)] = asked(field.database, "SELECT count(*) FROM results WHERE stream = 'result'")
    assert last == max(number for (stream, _), number in field.known.items() if stream == "result")
    assert rows == last - sum(b - a + 1 for a, b, _ in gaps)
