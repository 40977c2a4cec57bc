"""Enrolled devices and the generated broker: its configuration holds, delivery loses and doubles nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulators.enrolled import enrol, fleet
from tests.simulators.field import asked, until
from tests.simulators.fleet_field import FleetField

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.simulators.running_agent import RunningAgent


def test_a_bundle_passes_the_check_as_it_is(tmp_path: Path, run: Callable[..., tuple[int, str, str]]) -> None:
    folder = fleet(tmp_path / "keys")
    [one, ended] = [*enrol(folder, "gate-1", groups=("yard",)), *enrol(folder, "gate-2", days=-1)]
    assert one.place
    assert ended.place
    code, out, err = run("check", "--config", one.place / "agent.toml")
    assert (code, err) == (0, "")
    assert f"not asked; its certificate lasts until {one.until}" in out
    assert "ok   keys: signs as" in out
    assert "it waits for the operator's first model" in out
    assert "WARNING: its certificate has ended" in run("check", "--config", ended.place / "agent.toml")[1]


def flows(agent: RunningAgent, more: int = 20) -> None:
    """Wait until more has been acknowledged than now."""

    def acked() -> int:
        found: int = agent.status()["store"]["streams"]["result"]["acked"]
        return found

    so_far = acked()
    until(lambda: acked() > so_far + more, "results flow")


@pytest.mark.mosquitto
def test_a_generated_broker_that_restarts_and_forgets_costs_nothing(tmp_path: Path) -> None:
    with FleetField(tmp_path, "gate") as field:
        with field.agent("gate") as agent:
            agent.until_inferred(5)
            flows(agent)
            for forgets in (False, True):
                field.fleet_broker.stop()
                until(lambda: agent.status()["link"]["state"] != "online", "it is seen to be gone")
                if forgets:
                    for path in (field.keys / "broker/data").glob("*.db"):
                        path.unlink()
                field.fleet_broker.start()
                flows(agent)
            field.end(agent)
        field.stop_collector()
        found = field.accounts()
        assert (found.missing, found.lost, found.duplicated, found.unbalanced) == (0, 0, 0, ())
        query = "SELECT frame FROM results WHERE stream = 'result' AND frame IS NOT NULL ORDER BY seq"
        frames = [frame for (frame,) in asked(field.database, query)]
        assert frames == sorted(set(frames))
        assert len(frames) > 40
