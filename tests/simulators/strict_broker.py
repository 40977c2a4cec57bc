"""A mosquitto with two doors: one for who may do everything, and one with rules."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from agent.demo.broker import answers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


@contextmanager
def strict_broker(folder: Path, acl: Sequence[str], *lines: str) -> Iterator[tuple[int, int]]:
    """Start it; give the port of the free door, and of that with rules.

    Args:
        folder: where its files go.
        acl: lines of the access list; %c in a pattern is the client's id.
        lines: more of its configuration, for both doors.
    """
    program = shutil.which("mosquitto")
    assert program
    rules = folder / "rules.acl"
    rules.write_text("\n".join(acl) + "\n")
    free, ruled = _free_ports(2)
    doors = ["per_listener_settings true"]
    for port, more in ((free, []), (ruled, [f"acl_file {rules}"])):
        doors += [f"listener {port} 127.0.0.1", "allow_anonymous true", *more]
    config = folder / "strict.conf"
    config.write_text("\n".join([*doors, "user root", "log_type none", *lines]))
    with subprocess.Popen([program, "-c", config]) as process:
        try:
            give_up = time.monotonic() + 30
            while not (answers(free) and answers(ruled)):
                assert process.poll() is None
                assert time.monotonic() < give_up
                time.sleep(0.01)
            yield free, ruled
        finally:
            process.kill()


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        found = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in found]
