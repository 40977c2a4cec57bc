"""Real workers on a real accelerator process, whose library lies: each frame has its answer all the same.

The library is the stand-in of `tests/simulators/lying_delegate.c`: it shows what the agent does, and nothing
of what real accelerators do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.workers import messages
from tests.simulators.accelerator_desk import Desk, Station
from tests.simulators.lying_glyphs import LIMITS, SPEC, TITLE, desk, learned, right

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.simulators.lying_delegate import LyingDelegate


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> LyingDelegate:
    return learned(tmp_path_factory.mktemp("liar"))


@pytest.fixture
def liar(learnt: LyingDelegate) -> Iterator[LyingDelegate]:
    """An accelerator that has learned the golden pictures of the glyphs, and works for now."""
    learnt.heal()
    yield learnt
    learnt.heal()


def every_frame_is_answered(station: Station) -> None:
    numbers = [record.frame for _, record in station.work]
    assert numbers == list(range(len(numbers)))
    assert {record.kind for _, record in station.work} == {"classification"}


NOTICED = {
    "hang": "overrun",
    "hang_gil": "overrun",
    "crash": "died",
    "refuse_invoke": "refused",
    "vanish": "refused",
    "garbage": "garbage",
}


@pytest.mark.parametrize("mode", NOTICED)
def test_each_frame_is_answered_right_while_an_accelerator_fails_and_comes_back(
    mode: str, liar: LyingDelegate
) -> None:
    recheck_s = 0.2 if mode == "garbage" else 0
    with desk(liar) as first, Station(SPEC) as station:
        first.opened()
        station.lend(first, recheck_s=recheck_s)
        station.frames(TITLE, 100)
        liar.set(mode)
        station.until(lambda: station.of(messages.Regained))
        twin = station.of(messages.Ready)[0].delegate
        station.frames(twin)
        first.kill()
        liar.heal()
        with desk(liar) as second:
            second.opened()
            station.lend(second)
            station.frames(TITLE)
            station.tell(type="relieve", generation=2)
            station.until(lambda: station.of(messages.Relieved))
    [incident] = station.of(messages.Incident)
    [regained] = [one for one in station.of(messages.Regained) if one.generation == 1]
    assert (incident.kind, incident.twin, incident.generation) == (NOTICED[mode], True, 1)
    assert regained.blind_us < 2_000_000
    if mode in {"hang", "hang_gil"}:
        assert regained.blind_us >= 240_000
    assert [one.generation for one in station.of(messages.Accelerated)] == [1, 2]
    assert {one.goldens for one in station.of(messages.Accelerated)} == {5}
    assert [(one.generation, one.reason) for one in station.of(messages.Relieved)] == [(2, "asked")]
    every_frame_is_answered(station)
    wrong = [record for _, record in station.work if not right(record)]
    if mode == "garbage":
        assert wrong
        assert all(record.captured_ns > incident.good_ns > 0 for record in wrong)
    else:
        assert not wrong


def test_an_accelerator_that_computes_wrongly_from_the_start_gets_no_frame(liar: LyingDelegate) -> None:
    liar.set("garbage")
    with desk(liar) as one, Station(SPEC) as station:
        one.opened()
        station.lend(one)
        station.until(lambda: station.of(messages.Incident))
        station.frames(station.of(messages.Ready)[0].delegate)
    assert station.of(messages.Incident)[0].kind == "garbage"
    assert not station.of(messages.Accelerated)
    assert all(right(record) for _, record in station.work)


@pytest.mark.parametrize(("mode", "kind"), [("refuse_prepare", "load"), ("hang_prepare", "overrun")])
def test_a_model_that_an_accelerator_does_not_load_stays_on_its_twin(
    mode: str, kind: str, liar: LyingDelegate
) -> None:
    liar.set(mode)
    with desk(liar, limits={**LIMITS, "load_s": 0.5}) as one, Station(SPEC) as station:
        one.opened()
        station.lend(one)
        station.until(lambda: station.of(messages.Regained) and station.work)
    assert [(said.kind, said.twin) for said in station.of(messages.Incident)] == [(kind, True)]
    assert station.of(messages.Regained)[0].blind_us == 0
    every_frame_is_answered(station)


def test_a_bundle_without_a_variant_for_the_accelerator_stays_on_its_twin_without_an_incident(
    liar: LyingDelegate,
) -> None:
    entry = liar.entry("external", name=TITLE, options={"variant": "edgetpu"})
    with Desk(entry) as one, Station(SPEC) as station:
        one.opened()
        station.lend(one)
        station.until(lambda: station.of(messages.Relieved))
    [said] = station.of(messages.Relieved)
    assert (said.reason, "no variant for edgetpu" in said.problem) == ("unfit", True)
    assert not station.of(messages.Incident)


def test_a_process_whose_library_is_missing_says_why_in_one_line_and_ends() -> None:
    with Desk({"kind": "external", "options": {"library": "/nowhere/libnone.so"}}) as one:
        said = one.said()
        assert (said["type"], said["error"]) == ("fault", "DelegateLost")
        assert "\n" not in said["problem"]
        assert one.ended() == 1


def test_a_process_with_a_wrong_option_is_not_to_be_started_again() -> None:
    with Desk({"kind": "external", "options": {"libary": "x"}}) as one:
        assert one.said()["error"] == "ConfigInvalid"
        assert one.ended() == 78


def test_a_process_ends_when_it_is_asked_to(liar: LyingDelegate) -> None:
    with desk(liar) as one:
        assert one.opened()["delegate"] == TITLE
        assert one.stop() == 0


def test_what_is_hidden_stays_closed_to_the_process_even_if_the_profile_names_it(liar: LyingDelegate) -> None:
    with Desk(liar.entry("external"), hidden=(str(liar.folder),)) as one:
        said = one.said()
        assert (said["type"], said["error"]) == ("fault", "DelegateLost")
        assert one.ended() == 1
    with Desk(liar.entry("external"), hidden=(str(liar.folder / "other"),)) as other:
        other.opened()
