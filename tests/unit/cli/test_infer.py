"""What edge-agent infer says of events, and of frames that gates and filters held back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel

from agent.cli.infer import _account, _json_line, _line
from agent.cli.inferring.key_values import plugins_of
from agent.errors import ConfigInvalid, InputRejected
from agent.ledger import Ledger
from agent.workers.record import Record
from tests.simulators import foreign_plugins

CROSSED = {"event": "line.crossed", "label": "person", "track": 3, "line": "gate"}
ITEMS = [{"label": "person", "index": 0, "score": 0.5}]


def record(**more: Any) -> Record:
    told = {"frame": 7, "captured_ns": 0, "infer_us": 1500, "kind": "detection", "items": ITEMS}
    return Record.model_validate({**told, **more})


def test_a_line_tells_what_filters_noticed_and_says_nothing_where_they_did_not() -> None:
    assert _line(record(events=[CROSSED])) == "frame 7: person 0.50; line.crossed person 3 gate  (1.5 ms)"
    assert _line(record()) == "frame 7: person 0.50  (1.5 ms)"
    also = {"faces": {"kind": "embedding", "items": []}}
    told = json.loads(_json_line(record(events=[CROSSED], also=also)))
    assert (told["events"], told["also"]) == ([CROSSED], also)
    assert not {"events", "also"} & json.loads(_json_line(record())).keys()


def test_neither_a_files_name_nor_a_workers_words_steer_the_terminal() -> None:
    for kind, items in (("detection", ITEMS), ("failed", [{"problem": "\x1b[2Jgone"}]), ("failed", [])):
        assert _line(record(origin="a\x1b[2Jb.png", kind=kind, items=items)).isprintable()


def test_frames_that_were_held_back_are_counted_and_are_no_failures(
    capsys: pytest.CaptureFixture[str],
) -> None:
    left = {1: "b.png", 2: "c.png", 4: "e.png"}
    assert _account(left, Ledger(captured=5, inferred=2, filtered={"change": 2}, gated=1), _line) == 0
    told = capsys.readouterr()
    assert told.err == "edge-agent: no line of 1 gated, 2 filtered change, of 5 frames\n"
    assert _account({}, Ledger(captured=5, inferred=5), _line) == 0
    assert told.out + "".join(capsys.readouterr()) == ""


def test_what_a_worker_died_of_is_counted_where_it_cannot_be_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    left = {1: "b.png", 2: "c.png"}
    assert _account(left, Ledger(captured=5, inferred=3, filtered={"change": 1}, lost=1), _line) == 1
    assert "edge-agent: 1 more ended the process that inferred them\n" in capsys.readouterr().err
    assert _account(left, Ledger(captured=5, inferred=3, lost=2), _line) == 2
    assert capsys.readouterr().out.startswith(
        "b.png: failed: infer b.png: it ends the process that infers it"
    )


@pytest.fixture
def _a_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    foreign_plugins.offer(monkeypatch, "filters", "foreign", Options=BaseModel, build=print)


@pytest.mark.usefixtures("_a_filter")
def test_filters_are_named_as_sources_are_and_keep_their_order() -> None:
    one, two = plugins_of(["foreign", 'foreign:points=[[0,0.5],[1,0.5]],name="a,b",kin=1'], "filters")
    assert (one.kind, one.options) == ("foreign", {})
    assert two.options == {"points": [[0, 0.5], [1, 0.5]], "name": "a,b", "kin": 1}
    assert plugins_of([], "gates") == ()
    with pytest.raises(ConfigInvalid, match="there is no 'foreign'"):
        plugins_of(["foreign"], "gates")
    with pytest.raises(InputRejected, match="'seconds' is no KEY=VALUE"):
        plugins_of(["foreign:seconds"], "filters")
