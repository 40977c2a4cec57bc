"""The helper: one request after the other, of what root allows."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

from agent.documents.base import Document, read
from agent.documents.helper import REQUEST, Request
from agent.errors import AgentError, MessageInvalid, Rejected
from agent.files import write_durably
from agent.host.journal import Entry, Journal
from agent.host.managers import manager_of
from agent.host.places import read_hostile, read_own, remove_hostile
from agent.host.programs import run
from agent.host.told import ABLE, TOLD, Able, Told
from agent.host.updating import Updating, forget_word
from agent.store.forms import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.host.deputies import Deputies
    from agent.host.managers import Manager
    from agent.host.settings import HostSettings
    from agent.host.told import State

_log = logging.getLogger("agent.host")
_OP = "serve request"
_MOST = 100
_LOOK_S = 0.5


class Helper:
    """Serves requests until there is none.

    Args:
        home: the helper's own folder.
        boot: this boot's id.
        up_s: how long the machine is up, seconds.
        deputies: who fetches releases, and runs them before they are proven.
        stay_s: how long it waits for further requests when there was one, seconds from its start on: what
            systemd had to start too often it starts no more until the next boot.
        changed: whether what is allowed may be something else by now: then it waits no longer.
    """

    def __init__(
        self,
        settings: HostSettings,
        home: Path,
        deputies: Deputies,
        *,
        boot: str,
        up_s: float,
        stay_s: float = 0.0,
        changed: Callable[[], bool] = lambda: False,
    ) -> None:
        self._settings = settings
        self._home = home
        self._folder = Path(settings.folder)
        self._boot = boot
        self._up_s = up_s
        self._stay_s = stay_s
        self._changed = changed
        self._deputies = deputies
        update = settings.update
        self._manager: Manager | None = manager_of(update, deputies) if update else None
        self._journal = Journal(home)

    def run(self) -> None:
        """Say what is allowed, go on with an update that was cut off, then serve.

        Raises:
            AgentError: the journal or the folder is not as it must be.
            OSError: the disk refuses.
        """
        update = self._settings.update is not None
        able = Able(boot=self._boot, reboot=self._settings.reboot, update=update)
        try:
            self._put(ABLE, able)
        except OSError as error:  # with an update to go on with, the agent may stand still
            _log.error("say what is allowed: %s", error)
        if (entry := self._journal.read()) is not None:
            self._go_on(entry)
        until, served = time.monotonic() + self._stay_s, 0
        while served < _MOST:  # systemd starts the helper again while there is one
            if served and self._changed():
                return
            if self._served():
                served += 1
            elif not served or time.monotonic() >= until:
                return
            else:
                time.sleep(_LOOK_S)

    def _served(self) -> bool:
        """Serve one request; one that the disk refuses, or behind a link, is tried again later."""
        try:
            return self._serve()
        except OSError as error:
            _log.error("serve request: %s", error)
            time.sleep(self._stay_s)
            return True

    def _serve(self) -> bool:
        """Serve one request; say whether there was one."""
        try:
            content = read_hostile(self._folder, REQUEST)
            request = None if content is None else read(Request, content, REQUEST)
        except AgentError as error:
            _log.error("%s", error)
            remove_hostile(self._folder, REQUEST)
            return True
        if request is None:
            return False
        if request.id == self._told_last():  # it was cut off when it was about to be removed
            remove_hostile(self._folder, REQUEST)
            return True
        _log.info("%s %s, asked for by command %s", request.op, request.version, request.id)
        try:
            self._reboot(request) if request.op == "reboot" else self._update(request)
        except Rejected as error:
            _log.error("refused: %s", error)
            self._tell(request, "refused", str(error))
            remove_hostile(self._folder, REQUEST)
        return True

    def _reboot(self, request: Request) -> None:
        """Reboot, once for each request: it is answered and gone before."""
        if not self._settings.reboot:
            raise Rejected("reboot", "the machine", "the helper's configuration does not allow it")
        if self._up_s < self._settings.rest_s:
            problem = f"it is up for {self._up_s:.0f} s only: {self._settings.rest_s:.0f} s are the least"
            raise Rejected("reboot", "the machine", problem, "Send the command again later")
        self._tell(request, "working", "")
        remove_hostile(self._folder, REQUEST)
        try:
            run(["systemctl", "reboot"])
        except Rejected as error:
            self._tell(request, "failed", str(error))

    def _update(self, request: Request) -> None:
        if self._manager is None:
            raise Rejected("update", "the agent", "the helper's configuration does not allow it")
        if not request.version:
            raise Rejected("update", "the agent", "the request names no version")
        before = self._manager.current()
        if request.version == before:
            raise Rejected("update", "the agent", f"{before} is what runs")
        try:
            entry = Entry(
                id=request.id,
                version=request.version,
                before=before,
                form=VERSION,
                online=request.online,
                spared=request.spared,
            )
        except ValueError as error:
            raise Rejected("update", "the agent", f"its version is {before!r}, which is none") from error
        forget_word(self._folder)
        self._journal.write(entry)
        self._tell(entry, "working", "")
        remove_hostile(self._folder, REQUEST)
        self._go_on(entry)

    def _go_on(self, entry: Entry) -> None:
        if self._manager is None:
            problem = "an update is under way, and the configuration allows none any more"
            raise MessageInvalid(_OP, entry.version, problem, "Put the table [update] back into host.toml")
        as_agent = self._deputies.as_agent
        Updating(self._settings, self._manager, as_agent, self._journal, self._tell).go_on(entry)

    def _tell(self, about: Request | Entry, state: State, reason: str) -> None:
        told = Told(
            id=about.id,
            op=about.op if isinstance(about, Request) else "update",
            state=state,
            reason=reason[:500],
            version=about.version,
            steady_s=self._settings.update.steady_s if self._settings.update else 0.0,
            online=about.online,
            spared=about.spared,
        )
        self._put(TOLD, told)

    def _told_last(self) -> str:
        content = read_own(self._home / TOLD)
        try:
            return "" if content is None else read(Told, content, TOLD).id
        except MessageInvalid as error:  # another release wrote it
            _log.warning("%s", error)
            return ""

    def _put(self, name: str, document: Document) -> None:
        write_durably(self._home / name, document.model_dump_json().encode(), 0o644, exact=True)
