"""The demo's page, for statuses and terminals of many kinds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.demo.page import LEAST, Facts, page
from agent.demo.watch import Watch

FACTS = Facts(broker="mosquitto", broker_up=True, victim="shapes", seconds=12.3)
BOX = {"label": "star", "index": 0, "score": 0.97, "box": [0.2, 0.2, 0.8, 0.7]}


def anomaly(score: float) -> dict[str, Any]:
    label = "anomaly" if score >= 0.5 else "normal"
    return {"label": label, "index": int(score >= 0.5), "score": score, "error": 0.4, "threshold": 0.2}


def pipeline(
    name: str, kind: str, items: list[dict[str, Any]], frame: int = 1, **more: Any
) -> dict[str, Any]:
    told = {
        "name": name,
        "state": "running",
        "pid": 4711,
        "restarts": 0,
        "model": f"{name}@1.0.0",
        "delegate": "xnnpack",
        "fps": 29.8,
        "infer_p50_ms": 2.13,
        "infer_p99_ms": 3.4,
        "ledger": {
            "captured": 1234, "inferred": 1230, "gated": 0, "dropped": {"overwritten": 3}, "failed": {},
            "lost": 1, "in_flight": 0,
        },
        "problem": None,
        "wants": None,
        "last": {"frame": frame, "kind": kind, "items": items, "more": 0, "age_s": 0.03},
    }  # fmt: skip
    return told | more


def status(*pipelines: dict[str, Any]) -> dict[str, Any]:
    return {
        "pipelines": list(pipelines),
        "store": {"committed": 1240, "acked": 1200, "backlog": 40},
        "link": {"state": "online", "broker": "127.0.0.1:45321", "batches_sent": 12},
    }


def both(score: float = 0.2, frame: int = 1) -> dict[str, Any]:
    shapes = pipeline("shapes", "detection", [BOX])
    return status(shapes, pipeline("vibration", "anomaly", [anomaly(score)], frame))


def shown(told: dict[str, Any] | None, width: int = 80, height: int = 24, facts: Facts = FACTS) -> str:
    watch = Watch()
    watch.take(told)
    return "\n".join(page(watch, facts, width, height).text())


def test_at_80_by_24_all_is_there() -> None:
    text = shown(both())
    for part in (
        "pipeline  state", "restarts", "running", "29.8", "2.13/3.40", "1234", "1230",
        "shapes@1.0.0 on xnnpack: star 0.97", "normal 0.20", "┌star 0.97", "┄ threshold", "backlog 40",
        "online with mosquitto at 127.0.0.1:45321", "kill the shapes worker", "quit and count", "12 s",
        "m  roll out a better model", "x  tamper with one",
    ):  # fmt: skip
        assert part in text
    rows = text.split("\n")
    assert all(len(row) == 80 for row in rows)
    assert rows[3].rstrip().endswith(" 0")


def test_a_larger_terminal_gives_more_room_to_what_is_seen() -> None:
    text = shown(both(), 120, 40)
    assert "delegate" in text
    assert "vibration@1.0.0" in text
    assert text.count("│") > 2 * shown(both()).count("│")


def test_a_cut_broker_is_said_and_the_key_brings_it_back() -> None:
    text = shown(both(), facts=Facts("mosquitto", broker_up=False, victim="vibration", seconds=1))
    assert "broker cut: results wait on the disk, inference goes on" in text
    assert "bring the broker back" in text
    assert "kill the vibration worker" in text
    assert "quit and count" in text


def wanting(state: str, reason: str = "", version: str = "1.0.0") -> dict[str, Any]:
    told = both()
    told["pipelines"][0]["wants"] = {
        "state": state, "wanted": {"name": "shapes", "version": version}, "generation": 1, "reason": reason,
        "strikes": 0, "progress": None, "overdue": False,
    }  # fmt: skip
    return told


def test_what_the_device_says_of_the_model_that_is_wanted_of_it_is_told() -> None:
    assert "model  as configured; the operator wants no other" in shown(both())
    assert "model  shapes@1.0.0: a process of its own proves it" in shown(wanting("proving"))
    words = "fetch shapes.tflite: chunks 0 came damaged 3 times, or not at all"
    told = shown(wanting("downloading", words, "1.0.1"), 120, 40)
    assert f"model  shapes@1.0.1: not taken: {words}" in told
    assert "shapes@1.0.0: rolled_back: probation" in shown(wanting("rolled_back", "probation: slow"))


def test_how_far_something_is_stands_until_another_key_says_something() -> None:
    watch = Watch()
    watch.hear("proving")
    assert watch.said == "proving"
    watch.said = "killed a worker"
    watch.hear("proving")
    assert watch.said == "killed a worker"
    watch.hear("it serves")
    assert watch.said == "it serves"


def test_a_lane_that_is_down_says_its_problem() -> None:
    told = both()
    told["pipelines"][0] |= {"state": "backoff", "pid": None, "problem": "load model shapes: no\x1b[2J"}
    text = shown(told)
    assert "backoff" in text
    assert "load model shapes: no�[2J" in text


def test_old_results_are_dated() -> None:
    told = both()
    told["pipelines"][0]["last"]["age_s"] = 7.4
    assert "star 0.97 (7 s ago)" in shown(told)


def test_classes_are_shown_as_bars_and_nothing_yet_as_nothing() -> None:
    glyphs = pipeline("glyphs", "classification", [{"label": "cross", "score": 0.5, "index": 3}])
    text = shown(status(glyphs, pipeline("next", "", [], last=None, model=None, delegate=None)))
    assert "█░" in text
    assert "no result yet" in text


def test_an_agent_that_does_not_answer_is_said() -> None:
    assert "the agent does not answer" in shown(None)


def test_a_small_terminal_gets_one_line() -> None:
    text = shown(both(), 60, 10)
    assert text.startswith("online | shapes running 29.8/s")
    assert text.split("\n")[1].strip() == ""


def test_each_result_is_taken_once_and_the_bars_rise_above_the_threshold_with_the_score() -> None:
    watch = Watch()
    for frame, score in enumerate([0.2, 0.2, 0.8]):
        for _ in range(3):
            watch.take(both(score, frame))
    assert watch.scores("vibration") == [0.2, 0.2, 0.8]
    rows = page(watch, FACTS, 80, 24).runs()
    assert any(style == "bold red" and set(part) & set("▐▌█▗▟") for row in rows for part, style in row)
    watch.take(None)
    assert watch.scores("vibration") == [0.2, 0.2, 0.8]


@given(
    st.integers(1, 200),
    st.integers(1, 60),
    st.sampled_from(["detection", "anomaly", "classification", "tensor"]),
    st.lists(
        st.sampled_from([BOX, anomaly(0.7), {"label": "x\n"}, {"label": "y", "score": None}]), max_size=3
    ),
    st.integers(1, 5),
)
def test_any_status_fits_any_terminal(
    width: int, height: int, kind: str, items: list[dict[str, Any]], many: int
) -> None:
    rows = shown(status(*[pipeline("p" * 63, kind, items)] * many), width, height).split("\n")
    assert len(rows) == height
    assert all(len(row) == width and row.isprintable() for row in rows)


@pytest.mark.parametrize("size", [LEAST, (80, 24), (120, 40)])
def test_the_keys_are_never_cut_off(size: tuple[int, int]) -> None:
    facts = Facts("mosquitto", broker_up=False, victim="vibration", seconds=100)
    assert shown(both(), *size, facts).rstrip().endswith("quit and count")
