"""A PostgreSQL server of our own: an unprivileged user's, on a free port, in a folder that is thrown away."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from collections.abc import Sequence

PASSWORD = "s3cret-of-the-tests"  # noqa: S105 - of a server that lives for a minute
_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "30",
    "shared_buffers": "16MB",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
}


def program(name: str) -> str | None:
    """Where a program of the server is; Debian keeps them off the PATH."""
    if found := shutil.which(name):
        return found
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(installed[-1]) if installed else None


class Server:
    """A running server.

    Args:
        folder: made here, and to be removed by the caller; its parents let the server's user in.
    """

    def __init__(self, folder: Path) -> None:
        self._data = folder / "data"
        self._uid, self._gid = _unprivileged()
        os.chown(folder, self._uid, self._gid)
        word = folder / "password"
        word.write_text(PASSWORD)
        word.chmod(0o644)
        self._run("initdb", "-D", self._data, "-U", "fleet", "--pwfile", word, "-A", "scram-sha-256", "-N",
                  "--no-locale", "-E", "UTF8")  # fmt: skip
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            self.port: int = free.getsockname()[1]
        self._process = self._start()

    def url(self, name: str = "", encoding: str = "UTF8") -> str:
        """Make a new database, and give its URL, password and all."""
        name = name or f"t{secrets.token_hex(6)}"
        with psycopg.connect(self._url("postgres"), autocommit=True) as db:
            db.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}'")
        return self._url(name)

    def restart(self) -> None:
        """Stop it at once, as a crash would end its connections, and start it again."""
        self.close()
        self._process = self._start()

    def close(self) -> None:
        """Stop it."""
        self._process.send_signal(signal.SIGINT)  # it ends its clients' connections
        self._process.wait(20)

    def _url(self, name: str) -> str:
        return f"postgresql://fleet:{PASSWORD}@127.0.0.1:{self.port}/{name}"

    def _start(self) -> subprocess.Popen[bytes]:
        options = [part for key, value in _SETTINGS.items() for part in ("-c", f"{key}={value}")]
        command = [program("postgres") or "", "-D", str(self._data), "-p", str(self.port), *options]
        log = (self._data.parent / "log").open("ab")
        with log:
            process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd="/", user=self._uid, group=self._gid
            )
        give_up = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self._url("postgres"), connect_timeout=1).close()
            except psycopg.OperationalError:
                assert process.poll() is None, (self._data.parent / "log").read_text()
                assert time.monotonic() < give_up
                time.sleep(0.05)
            else:
                return process

    def _run(self, name: str, *arguments: object) -> None:
        command: Sequence[str] = [program(name) or "", *(str(one) for one in arguments)]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd="/", user=self._uid, group=self._gid
        )
        assert done.returncode == 0, done.stderr


def _unprivileged() -> tuple[int, int]:
    """Whom to be: the server refuses root."""
    if os.getuid() != 0:
        return os.getuid(), os.getgid()
    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return found.pw_uid, found.pw_gid
    raise AssertionError("there is neither a user postgres nor nobody")
