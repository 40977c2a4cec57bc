"""Settings and windows of the command line, read and refused."""

from __future__ import annotations

import pytest

from agent.documents.desired import Maintenance
from agent.errors import ConfigInvalid
from agent.fleet.deploying import words
from agent.schedules import DAYS, Window


def test_settings_are_read_as_json_or_as_text() -> None:
    told = ["pipelines.door.max_rate=5", "log.level=debug", 'pipelines.door.alert_on=["line.crossed"]']
    assert words.settings(told) == {
        "pipelines.door.max_rate": 5,
        "log.level": "debug",
        "pipelines.door.alert_on": ["line.crossed"],
    }


def test_windows_have_days_times_and_a_zone() -> None:
    assert words.maintenance([]) is None
    zone = "Europe/Berlin"
    found = words.maintenance([f"fri-mon,wed 02:00-04:00 {zone}", f"23:00-01:30 {zone}"])
    one = Window(days=("fri", "sat", "sun", "mon", "wed"), begin="02:00", end="04:00")
    assert found == Maintenance(windows=(one, Window(days=DAYS, begin="23:00", end="01:30")), zone=zone)
    assert words.maintenance(["00:00-24:00"]) == Maintenance(windows=(Window(),))


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (["at night"], "it is no window"),
        (["sat 2:00-4:00"], "it is no window"),
        (["sat 25:00-26:00"], "begin"),
        (["sat,so 02:00-04:00"], "so is no day"),
        (["02:00-04:00 Europe/Berlin", "02:00-04:00"], "several zones"),
    ],
)
def test_what_is_no_window_is_told(told: list[str], said: str) -> None:
    with pytest.raises(ConfigInvalid, match=said):
        words.maintenance(told)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("pipelines.door.max_rate", "it is no KEY=VALUE"),
        ("mqtt.host=evil", "it is not the operator's to set"),
        ("pipelines.door.privacy=[]", "it is not the operator's to set"),
        ("=1", "this is no key"),
    ],
)
def test_what_an_operator_may_not_set_is_refused_here(told: str, said: str) -> None:
    with pytest.raises(ConfigInvalid, match=said):
        words.settings([told])
