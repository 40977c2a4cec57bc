"""The operator at a terminal: asked for the passphrase, shown how far it is, told what is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.simulators.operating import PASSPHRASE, make_bundle, operator

if TYPE_CHECKING:
    from pathlib import Path

    from agent.demo.broker import Broker

# Runs the rest of its arguments on a terminal of their own, types each line of standard input when asked, and
# writes what the terminal shows.
TERMINAL = """
import os, pty, sys

answers = sys.stdin.read().splitlines()
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.executable, [sys.executable, "-m", "agent.fleet.main", *sys.argv[1:]])
shown = b""
while True:
    try:
        more = os.read(terminal, 4096)
    except OSError:
        break
    shown += more
    if answers and shown.endswith(b": "):
        os.write(terminal, answers.pop(0).encode() + b"\\n")
        shown += b"(typed)"
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EDGECTL_")}
    return {**kept, "TERM": "xterm", "COLUMNS": "120", **more}


def at_terminal(*words: str | Path, answers: tuple[str, ...] = (), **more: str) -> tuple[int, str]:
    """Run edgectl on a terminal; give its exit code and what it showed."""
    command = [sys.executable, "-c", TERMINAL, *(str(word) for word in words)]
    text = "\n".join(answers).encode()
    done = subprocess.run(
        command, input=text, capture_output=True, timeout=60, env=environment(**more), check=False
    )
    assert done.stderr == b""
    return done.returncode, done.stdout.decode()


def test_the_passphrase_is_asked_for_twice_and_once_later_and_is_never_shown(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    code, shown = at_terminal("init", folder, "--device", "gate", answers=("one two three", "another"))
    assert (code, "the two differ" in shown, folder.exists()) == (78, True, False)
    code, shown = at_terminal("init", folder, "--device", "gate", answers=("short", "short"))
    assert (code, "shorter than 8 characters" in shown, folder.exists()) == (78, True, False)
    code, more = at_terminal("init", folder, "--device", "gate", answers=(PASSPHRASE, PASSPHRASE))
    assert (code, "1.root.json  ->  root.json of each device" in more) == (0, True)
    assert f"Publish with:  edgectl publish BUNDLE --dir {folder}" in more
    code, last = at_terminal("resign", "--dir", folder, "--local", answers=(PASSPHRASE,))
    assert (code, last.count("Passphrase")) == (0, 1)
    assert not any(word in shown + more + last for word in (PASSPHRASE, "one two three", "short\r"))
    code, told = at_terminal("init", folder, "--device", "door")
    assert (code, "door.key" in told, "Passphrase" in told) == (0, True, False)


def test_without_a_terminal_nothing_is_made_and_the_way_out_is_told(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "agent.fleet.main", "init", str(tmp_path / "keys")]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment(), check=False
    )
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (78, "", 1)
    assert "--passphrase-file FILE, or run it on a terminal; or give --no-models" in done.stderr
    assert not (tmp_path / "keys").exists()
    subprocess.run([*command, "--no-models"], capture_output=True, env=environment(), check=True)
    assert {one.name for one in (tmp_path / "keys").iterdir()} == {
        "collector.key",
        "collector.pub",
        "devices",
        "public",
    }


@pytest.mark.mosquitto
def test_a_bar_shows_bytes_and_rate_and_leaves_nothing_behind(tmp_path: Path, broker: Broker) -> None:
    bundle = make_bundle(tmp_path / "b", files={"m.tflite": os.urandom(8 << 20), "g.npy": b"y"})
    folder, port = operator(tmp_path / "keys"), str(broker.port)
    words = ("publish", str(bundle), "--dir", str(folder), "--port", port)
    code, shown = at_terminal(*words, EDGECTL_PASSPHRASE=PASSPHRASE)
    assert code == 0, shown
    assert "sending" in shown
    assert "/s" in shown
    assert "published shapes@1.0.0" in shown
    assert "8,388,609 bytes in 66 chunks" in shown
