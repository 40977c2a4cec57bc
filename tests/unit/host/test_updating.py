"""An update ends with the new release or with the old one, whatever fails and wherever the power is cut."""

from __future__ import annotations

import errno
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import MessageInvalid, Rejected
from agent.host import updating
from agent.host.journal import MOST_STARTS, Entry, Journal
from agent.host.settings import HostSettings, Update
from agent.host.updating import Updating

if TYPE_CHECKING:
    from collections.abc import Sequence

OLD, NEW, OLD_FORM, NEW_FORM = "1.0", "2.0", 5, 6


class _PowerCut(BaseException):
    """Nothing catches it."""


class World:
    """A device's disk, and programs that fail by plan.

    Args:
        beside: whether the manager has both releases at once.
        faults: actions that fail each time.
        cuts: before which actions the power is cut, counted over all starts.

    Attributes:
        place, runs: which release is in its place, and which one runs, "" for none.
        form: the data folder's version.
        told: what the helper said last.
        bad_starts: how often systemd does not start the agent.
    """

    def __init__(
        self, folder: Path, *, beside: bool, faults: Sequence[str] = (), cuts: Sequence[int] = ()
    ) -> None:
        self.beside = beside
        self._faults, self._cuts, self._done = set(faults), set(cuts), 0
        self._folder = folder
        self.place, self.form, self.runs = OLD, OLD_FORM, OLD
        self.told: tuple[str, str] = ("", "")
        self.kept = False
        self.bad_starts = 0
        self._fetched = {OLD}

    def _act(self, what: str) -> None:
        self._done += 1
        if self._done in self._cuts:
            self.runs = self.place  # the machine boots, and the unit starts what is in its place
            raise _PowerCut
        if what in self._faults:
            raise Rejected("do", what, "it fails")

    def current(self) -> str:
        return self.place

    def fetch(self, version: str) -> None:
        self._act("fetch")
        self._fetched.add(version)
        if "early word" in self._faults:
            self._say()

    def _say(self) -> None:
        word = {"v": 1, "id": "command-1", "version": NEW}
        (self._folder / "word.json").write_text(json.dumps(word))

    def program(self, version: str) -> str:
        return version if self.beside else self.place

    def switch(self, version: str) -> None:
        self._act(f"switch {version}")
        assert version in self._fetched
        self.place = version

    def keep(self, version: str, before: str) -> None:
        assert (version, before) == (NEW, OLD)
        self._act("keep")
        self.kept = True

    def forget(self, version: str) -> None:
        self._act("forget")
        assert version not in {self.place, self.runs}
        self._fetched.discard(version)

    def says(self, version: str) -> str:
        return version

    def run(self, arguments: Sequence[str]) -> str:
        """What ``programs.run`` does."""
        self._act(" ".join(arguments[:2]))
        return self._systemctl(arguments[1])

    def as_agent(self, arguments: Sequence[str]) -> str:
        program, verb = arguments[0], arguments[1]
        self._act(f"{program} {verb}")
        if verb == "version":
            form = NEW_FORM if program == NEW else OLD_FORM
            return json.dumps({"edge-agent": program, "data-folder": str(form)})
        if verb == "store":
            self._migrate(program, arguments)
        return ""

    def _migrate(self, program: str, arguments: Sequence[str]) -> None:
        reads = NEW_FORM if program == NEW else OLD_FORM
        assert self.runs == "", "the agent has the folder"
        if self.form > reads:
            raise Rejected("migrate", "data", "a newer release wrote it")
        self.form = int(arguments[arguments.index("--to") + 1]) if "--to" in arguments else reads

    def _systemctl(self, verb: str) -> str:
        if verb == "is-failed":
            raise Rejected("systemctl", "is-failed", "it is not")
        if verb == "start" and self.bad_starts:
            self.bad_starts -= 1
            raise Rejected("systemctl", "start", "the machine is busy")
        self.runs = "" if verb == "stop" else self.runs or self.place
        if self.runs == NEW and "word" not in self._faults:
            self._say()
        return ""

    def begin(self, settings: HostSettings, journal: Journal) -> None:
        """Start the helper until it is over; a cut starts it again."""

        def tell(_entry: Entry, state: str, reason: str) -> None:
            self._act("tell")
            self.told = (state, reason)

        assert settings.update is not None
        for _ in range(20):
            entry = journal.read()
            if entry is None:
                return
            try:
                Updating(settings, self, self.as_agent, journal, tell).go_on(entry)
            except _PowerCut:
                continue


def _updated(folder: Path, world: World) -> None:
    update = Update.model_construct(manager="pip", probation_s=0.0, steady_s=0.0)
    allowed = HostSettings(folder=str(folder)).model_copy(update={"update": update})
    journal = Journal(folder)
    journal.write(Entry(id="command-1", version=NEW, before=OLD, form=OLD_FORM))
    with mock.patch.object(updating, "run", world.run), mock.patch.object(updating, "_LOOK_S", 0.0):
        world.begin(allowed, journal)
    assert journal.read() is None


ACTIONS = ("fetch", f"{NEW} version", f"{NEW} store", f"{NEW} check", f"switch {NEW}", "word", "keep")


@settings(max_examples=60)
@given(
    beside=st.booleans(),
    faults=st.sets(st.sampled_from(ACTIONS), max_size=2),
    cuts=st.sets(st.integers(1, 25), max_size=4),
)
def test_one_release_or_the_other_serves_with_a_data_folder_that_it_reads_and_the_end_is_told(
    beside: bool,
    faults: set[str],
    cuts: set[int],
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        world = World(folder, beside=beside, faults=sorted(faults), cuts=sorted(cuts))
        _updated(folder, world)
        state, reason = world.told
        if state == "done":
            assert (world.place, world.runs, world.form, world.kept) == (NEW, NEW, NEW_FORM, True)
            assert not faults
        else:
            assert (state, world.place, world.runs) == ("failed", OLD, OLD)
            assert reason
            # A migration that fails each time, or a program that does not even run, has changed nothing.
            assert world.form == OLD_FORM or f"{NEW} store" in faults or f"{NEW} version" in faults


def test_a_helper_that_is_cut_off_again_and_again_at_one_step_goes_back(tmp_path: Path) -> None:
    # The agent is stopped by the 5th action; each start of the step is cut off there.
    world = World(tmp_path, beside=True, cuts=[4, 5, 6, 7][:MOST_STARTS])
    _updated(tmp_path, world)
    assert world.told[0] == "failed"
    assert f"cut off {MOST_STARTS} times while changing" in world.told[1]
    assert (world.place, world.runs, world.form) == (OLD, OLD, OLD_FORM)


@pytest.mark.parametrize("beside", [True, False])
def test_what_is_well_is_there_to_stay(tmp_path: Path, beside: bool) -> None:
    world = World(tmp_path, beside=beside)
    _updated(tmp_path, world)
    assert (world.told, world.place) == (("done", ""), NEW)


@pytest.mark.parametrize("beside", [True, False])
def test_a_word_that_the_release_before_gives_for_the_new_one_counts_for_nothing(
    tmp_path: Path, beside: bool
) -> None:
    world = World(tmp_path, beside=beside, faults=["early word", "word"])
    _updated(tmp_path, world)
    assert (world.told[0], world.place, world.runs) == ("failed", OLD, OLD)


@pytest.mark.parametrize(("bad_starts", "state"), [(1, "done"), (2, "failed")])
def test_a_start_that_fails_once_is_tried_again(tmp_path: Path, bad_starts: int, state: str) -> None:
    world = World(tmp_path, beside=True)
    world.bad_starts = bad_starts
    _updated(tmp_path, world)
    assert world.told[0] == state


class _Full(Journal):
    """A journal on a disk that is full from one write on, counted from 1; "told" on the same disk."""

    def __init__(self, home: Path, full_from: int) -> None:
        super().__init__(home)
        self._left = full_from

    def write(self, entry: Entry) -> Entry:
        self._left -= 1
        if self._left <= 0:
            raise MessageInvalid("write", "update.json", "no space left on device")
        return super().write(entry)


@pytest.mark.parametrize("full_from", [1, 2, 3])
def test_a_disk_that_is_full_stops_an_update_and_never_the_agent(tmp_path: Path, full_from: int) -> None:
    world = World(tmp_path, beside=True)
    entry = Journal(tmp_path).write(Entry(id="command-1", version=NEW, before=OLD, form=OLD_FORM))
    told: list[str] = []

    def tell(_entry: Entry, state: str, reason: str) -> None:
        told.append(state)
        if told.count("failed") == 1:
            raise OSError(errno.ENOSPC, "no space left on device")
        world.told = (state, reason)

    update = Update.model_construct(manager="pip", probation_s=0.0, steady_s=0.0)
    allowed = HostSettings(folder=str(tmp_path)).model_copy(update={"update": update})
    journal = _Full(tmp_path, full_from)
    with (
        mock.patch.object(updating, "run", world.run),
        mock.patch.object(updating, "_LOOK_S", 0.0),
        mock.patch.object(updating, "_FULL_S", 0.0),
    ):
        Updating(allowed, world, world.as_agent, journal, tell).go_on(entry)
    assert (world.told[0], world.place, world.runs, world.form) == ("failed", OLD, OLD, OLD_FORM)
    assert "no space left" in world.told[1]
    assert journal.read() is None


def test_what_the_disk_refuses_while_fetching_is_told_and_the_agent_runs_on(tmp_path: Path) -> None:
    world = World(tmp_path, beside=True)
    with mock.patch.object(world, "fetch", side_effect=OSError(errno.ENOSPC, "no space left on device")):
        _updated(tmp_path, world)
    assert (world.told[0], world.place, world.runs) == ("failed", OLD, OLD)


def test_a_release_that_cannot_be_kept_is_taken_back_and_it_is_told(tmp_path: Path) -> None:
    world = World(tmp_path, beside=True, faults=["keep"])
    _updated(tmp_path, world)
    assert (world.told, world.place, world.runs) == (("failed", "do keep: it fails"), OLD, OLD)
