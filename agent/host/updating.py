"""An update of the agent: install, prove, switch, wait for the new release's word; or all the way back.

    fetching    what runs is untouched: a failure ends the update
    changing    the agent stands still; data folder and place change: a failure leads to returning
    probation   the new release runs, and is to say that it is well, in time: silence leads to returning
    returning   the data folder and the place become what they were; the release before runs

Each step may be cut off and is done again from its beginning; after three beginnings the way leads back.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from agent.documents.base import read
from agent.documents.helper import WORD, Word
from agent.errors import AgentError, MessageInvalid, Rejected
from agent.host.journal import MOST_STARTS
from agent.host.places import read_hostile, remove_hostile
from agent.host.programs import run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agent.host.journal import Entry, Journal, Step
    from agent.host.managers import Manager
    from agent.host.settings import HostSettings
    from agent.host.told import State

_log = logging.getLogger("agent.host")
_LOOK_S = 0.5
_FULL_S = 60.0
_DIGITS = 6


class Updating:
    """Carries one update on, from wherever its journal says.

    Args:
        settings: the helper's configuration, with the table of updates.
        as_agent: runs a program as the agent, and gives what it prints.
        tell: has the agent told where it stands.
    """

    def __init__(
        self,
        settings: HostSettings,
        manager: Manager,
        as_agent: Callable[[Sequence[str]], str],
        journal: Journal,
        tell: Callable[[Entry, State, str], None],
    ) -> None:
        self._settings = settings
        self._probation_s = settings.update.probation_s if settings.update else 0.0
        self._manager = manager
        self._as_agent = as_agent
        self._journal = journal
        self._folder = Path(settings.folder)
        self._tell = tell

    def go_on(self, entry: Entry) -> None:
        """Carry it to its end."""
        steps: dict[Step, Callable[[Entry], Entry | None]] = {
            "fetching": self._fetch,
            "changing": self._change,
            "probation": self._wait,
            "returning": self._return,
        }
        now: Entry | None = entry
        while now is not None:
            _log.info("update to %s: %s", now.version, now.step)
            begun = self._begun(now)
            now = None if begun is None else steps[begun.step](begun)
        self._journal.close()

    def _begun(self, entry: Entry) -> Entry | None:
        """Have it written that a step begins, before it does; begun too often, the way leads back.

        On a full disk, too, since the agent may stand still; None where nothing has changed yet, and all is
        over.
        """
        if entry.starts >= MOST_STARTS and entry.step != "returning":
            entry = self._back(entry, f"the helper was cut off {entry.starts} times while {entry.step}")
        begun = entry.model_copy(update={"starts": entry.starts + 1})
        try:
            return self._journal.write(begun)
        except MessageInvalid as error:
            _log.error("%s", error)
            if entry.step == "fetching":
                self._end(entry, [str(error)])
                return None
            return begun if entry.step == "returning" else self._back(entry, str(error))

    def _next(self, entry: Entry, step: Step) -> Entry:
        return entry.model_copy(update={"step": step, "starts": 0})

    def _back(self, entry: Entry, reason: str) -> Entry:
        return entry.model_copy(update={"step": "returning", "starts": 0, "reason": reason[:500]})

    def _fetch(self, entry: Entry) -> Entry | None:
        try:
            self._tell(entry, "working", "")
            self._manager.fetch(entry.version)
            if self._manager.beside:
                self._look(entry)
        except (AgentError, OSError) as error:
            self._end(entry, [str(error)])
            return None
        return self._next(entry, "changing")

    def _change(self, entry: Entry) -> Entry | None:
        try:
            self._systemctl("stop")
            forget_word(self._folder)  # the release before could have given it for the new one
            if not self._manager.beside:
                self._manager.switch(entry.version)
                self._systemctl("stop")  # a package may start it by itself
                self._look(entry)
            self._prepare(entry)
            self._edge_agent(entry.version, "check", "--config", self._settings.config)
            if self._manager.beside:
                self._manager.switch(entry.version)
        except (AgentError, OSError) as error:
            return self._back(entry, str(error))
        return self._next(entry, "probation")

    def _wait(self, entry: Entry) -> Entry | None:
        """Wait for the new release's word, in time; a reboot or a restart of the helper begins it anew."""
        try:
            self._tell(entry, "probation", "")
            self._start()
        except (AgentError, OSError) as error:
            return self._back(entry, str(error))
        until = time.monotonic() + self._probation_s
        while not self._said(entry):
            if time.monotonic() >= until:
                problem = f"it did not say that it is well within {self._probation_s:.0f} s"
                return self._back(entry, f"{entry.version}: {problem}")
            if self._given_up():
                return self._back(entry, f"{entry.version}: it ended, and is not to be started again")
            time.sleep(_LOOK_S)
        try:
            self._manager.keep(entry.version, entry.before)
        except (AgentError, OSError) as error:
            return self._back(entry, str(error))
        self._insist(entry, "done", "")
        return None

    def _return(self, entry: Entry) -> None:
        """Put everything back; what goes wrong then is told, too."""
        problems = [entry.reason]
        back: tuple[Callable[[], object], ...] = (
            lambda: self._systemctl("stop"),
            lambda: self._restore(entry),
            lambda: self._manager.switch(entry.before),
            lambda: self._migrate(entry.before),
            lambda: self._systemctl("start"),
        )
        for step in back:
            try:
                step()
            except (AgentError, OSError) as error:
                _log.error("on the way back: %s", error)
                problems.append(f"on the way back: {error}")
        self._end(entry, problems)

    def _end(self, entry: Entry, problems: list[str]) -> None:
        """Let go of the release, as the disk may be full, and tell that it has failed."""
        try:
            if len(problems) == 1:  # else it may be what can read the data folder
                self._manager.forget(entry.version)
        except (AgentError, OSError) as error:
            problems.append(str(error))
        self._insist(entry, "failed", "; ".join(problems))

    def _insist(self, entry: Entry, state: State, reason: str) -> None:
        """Tell the end, however long a full disk takes: the agent runs, and does not begin anew for that."""
        while True:
            try:
                self._tell(entry, state, reason)
                break
            except OSError as error:
                _log.error("tell the end of the update: %s", error)
                time.sleep(_FULL_S)

    def _said(self, entry: Entry) -> bool:
        """Whether the new release has given its word. A word that does not hold is none."""
        try:
            content = read_hostile(self._folder, WORD)
            word = None if content is None else read(Word, content, WORD)
        except (Rejected, MessageInvalid) as error:
            _log.warning("%s", error)
            return False
        said = (entry.id, self._manager.says(entry.version))
        return word is not None and (word.id, word.version) == said

    def _given_up(self) -> bool:
        try:
            run(["systemctl", "is-failed", "--quiet", self._settings.unit])
        except Rejected:  # it says so by its exit code
            return False
        return True

    def _prepare(self, entry: Entry) -> None:
        """Bring the data folder to what the new release reads; an older one cannot do that by itself."""
        if self._manager.beside and (form := self._look(entry)) is not None and form < entry.form:
            self._migrate(entry.before, "--to", str(form))
        self._migrate(entry.version)

    def _restore(self, entry: Entry) -> None:
        """Bring the data folder to what the release before reads; only a newer one can."""
        form = self._look(entry)
        if form is not None and form > entry.form:
            self._migrate(entry.version, "--to", str(entry.form))

    def _look(self, entry: Entry) -> int | None:
        """See that the program is what was asked for; give its version of the data folder, if it says.

        Raises:
            Rejected: it does not run, or is another version.
        """
        said = self._edge_agent(entry.version, "version", "--json")
        try:
            found: object = orjson.loads(said)
        except orjson.JSONDecodeError:
            found = None
        versions = found if isinstance(found, dict) else {}
        if versions.get("edge-agent") != self._manager.says(entry.version):
            problem = f"it says that it is {str(versions.get('edge-agent'))[:100]!r}"
            raise Rejected("prove", entry.version, problem)
        form = str(versions.get("data-folder", ""))
        return int(form) if form.isdecimal() and len(form) < _DIGITS else None

    def _migrate(self, version: str, *options: str) -> None:
        self._edge_agent(version, "store", "migrate", *options, "--config", self._settings.config)

    def _edge_agent(self, version: str, *arguments: str) -> str:
        return self._as_agent([self._manager.program(version), *arguments])

    def _start(self) -> None:
        """Start the agent; once more where that fails, as systemd does by itself: the machine may be busy."""
        try:
            self._systemctl("start")
        except Rejected as error:
            _log.warning("%s; once more", error)
            self._systemctl("start")

    def _systemctl(self, verb: str) -> None:
        run(["systemctl", verb, self._settings.unit])


def forget_word(folder: Path) -> None:
    """Remove what an earlier release has said."""
    try:
        remove_hostile(folder, WORD)
    except OSError as error:  # it names another update, and counts for none
        _log.warning("%s", error)
