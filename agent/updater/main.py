"""The updater program: proves and fetches what the operator has published, and ends.

``python -m agent.updater.main SOCKET_FD SPEC_FD PARENT_PID`` is started by the supervisor and dies with it
(PR_SET_PDEATHSIG). SIGTERM ends it at once: what is on disk is proved again by the next one. Exit codes: 0 it
has said all that came of it, failures too; 1 anything else.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import ssl
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from agent.errors import EXIT_FAILED, EXIT_OK, AgentError, ConfigInvalid
from agent.ipc import Channel
from agent.updater import disk
from agent.updater.lean import let_go
from agent.updater.messages import Done, Refreshed, UpdaterSpec, failed
from agent.workers.confinement import close_descriptors, confine_updater

if TYPE_CHECKING:
    from agent.updater.messages import FromUpdater
    from agent.updater.seams import Shelf

_PR_SET_PDEATHSIG = 1
_TLS_FILES = ("ca_file", "cert_file", "key_file")


class _Outlet:
    """Says what came of it to the supervisor."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def say(self, message: FromUpdater) -> None:
        """Send one message."""
        self._channel.send(message.model_dump_json().encode())
        if isinstance(message, Refreshed):
            let_go()  # of what proves signatures; what follows only hashes


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


def _tie_to_parent(parent: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the tie was made
        os._exit(EXIT_FAILED)


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
    let_go()  # whenever a part has been loaded: it is the peak that counts
    from agent.updater.session import run

    let_go()
    shelf = open_shelf(spec)
    let_go()
    try:
        with disk.alone(Path(spec.folder)):
            run(spec, shelf, outlet.say)
    finally:
        shelf.close()


def main() -> NoReturn:
    """Run the program; never returns."""
    socket_fd, spec_fd, parent = map(int, sys.argv[1:4])
    _tie_to_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    close_descriptors((socket_fd, spec_fd))
    faulthandler.enable()
    os.umask(0o077)
    with os.fdopen(spec_fd, "rb") as file:
        spec = UpdaterSpec.model_validate_json(file.read())
    outlet = _Outlet(Channel.from_fd(socket_fd))
    try:
        _work(spec, outlet)
    except AgentError as error:
        outlet.say(failed(error))
        outlet.say(Done())
    sys.exit(EXIT_OK)


if __name__ == "__main__":
    main()
