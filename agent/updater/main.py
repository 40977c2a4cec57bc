"""The updater program: proves and fetches what the operator has published, and ends.

``python -m agent.updater.main SOCKET_FD SPEC_FD PARENT_PID`` is started by the supervisor and dies with it
(PR_SET_PDEATHSIG). SIGTERM ends it at once: what is on disk is proved again by the next one. Exit codes: 0 it
has said all that came of it, failures too; 1 anything else.
"""

from __future__ import annotations

import faulthandler
import os
import ssl
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from agent.confinement.confine import confine_updater
from agent.errors import EXIT_OK, AgentError, ConfigInvalid
from agent.processes import memory, program
from agent.processes.message import flattened
from agent.updater import disk
from agent.updater.messages import Done, Failed, Refreshed, UpdaterSpec

if TYPE_CHECKING:
    from agent.processes.ipc import Channel
    from agent.updater.messages import FromUpdater
    from agent.updater.seams import Shelf

_TLS_FILES = ("ca_file", "cert_file", "key_file")


class _Outlet:
    """Says what came of it to the supervisor."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def say(self, message: FromUpdater) -> None:
        """Send one message."""
        self._channel.send(message.model_dump_json().encode())
        if isinstance(message, Refreshed):
            memory.let_go()  # of what proves signatures; what follows only hashes


def open_shelf(spec: UpdaterSpec) -> Shelf:
    """Choose the broker, or the mirror, or both.

    Raises:
        ConfigInvalid: there is neither, or the mirror's address is wrong.
    """
    from agent.link.bulk import Bulk
    from agent.link.settings import LinkSettings
    from agent.updater.https import Mirror
    from agent.updater.mirrored import Mirrored

    mirror = Mirror(spec.mirror) if spec.mirror else None
    if spec.broker is None:
        if mirror is None:
            hint = "Name a broker in [mqtt], or a mirror in [models]"
            raise ConfigInvalid("fetch models", "mqtt.host", "there is neither broker nor mirror", hint)
        return mirror
    bulk = Bulk(LinkSettings(**spec.broker), spec.fleet, spec.device, spec.window)
    return bulk if mirror is None else Mirrored(bulk, mirror)


def _confine(spec: UpdaterSpec) -> None:
    """Give up what this process does not need, before it hears anything from outside."""
    folder = Path(spec.folder)
    with disk.refusing("make folder", folder):
        disk.make_folder(folder)
    authorities = ssl.get_default_verify_paths()
    tls = [str((spec.broker or {}).get(name, "")) for name in _TLS_FILES]
    read = [path for path in (*tls, authorities.cafile, authorities.capath) if path]
    confine_updater(str(folder), read)


def _work(spec: UpdaterSpec, outlet: _Outlet) -> None:
    _confine(spec)
    memory.let_go()  # whenever a part has been loaded: it is the peak that counts
    from agent.updater.session import run

    memory.let_go()
    shelf = open_shelf(spec)
    memory.let_go()
    try:
        with disk.alone(Path(spec.folder)):
            run(spec, shelf, outlet.say)
    finally:
        shelf.close()


def main() -> NoReturn:
    """Run the program; never returns."""
    channel, _, spec_json = program.begin()
    faulthandler.enable()
    os.umask(0o077)
    spec = UpdaterSpec.model_validate_json(spec_json)
    outlet = _Outlet(channel)
    try:
        _work(spec, outlet)
    except AgentError as error:
        outlet.say(Failed(**flattened(error)))
        outlet.say(Done())
    sys.exit(EXIT_OK)


if __name__ == "__main__":
    main()
