"""Where the passphrase of the operator's keys comes from: never the command line, which others can read."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path

from agent.errors import ConfigInvalid

VARIABLE = "EDGECTL_PASSPHRASE"
CREDENTIAL = "edgectl-passphrase"
"""The name of the systemd credential, for LoadCredential=."""
LEAST = 8
"""Characters of a new one."""
_MOST_BYTES = 1024
_HINT = f"Set ${VARIABLE}, or give --passphrase-file FILE, or run it on a terminal"


def passphrase(file: Path | None = None, *, new: bool = False) -> str:
    """Get the passphrase: from a file, the environment, a systemd credential, or a terminal.

    Args:
        file: what the command line names; it wins.
        new: it is to protect new keys: it is asked for twice, and must not be short.

    Raises:
        ConfigInvalid: there is none, or none that will do.
    """
    credential = Path(os.environ.get("CREDENTIALS_DIRECTORY", ""), CREDENTIAL)
    if file is not None:
        found = _read(file)
    elif VARIABLE in os.environ:
        found = os.environ[VARIABLE]
    elif "CREDENTIALS_DIRECTORY" in os.environ and credential.is_file():
        found = _read(credential)
    elif sys.stdin.isatty() and sys.stderr.isatty():
        found = _ask(new=new)
    else:
        problem = "the operator's keys are encrypted, and nobody is there to type it"
        raise ConfigInvalid("get", "passphrase", problem, _HINT)
    if not found.isascii() and any("\ud800" <= one <= "\udfff" for one in found):
        raise ConfigInvalid("use", "passphrase", "it is no UTF-8", "Write it as UTF-8, or in plain letters")
    if not found or (new and len(found) < LEAST):
        problem = f"it is shorter than {LEAST} characters" if found else "it is empty"
        raise ConfigInvalid("use", "passphrase", problem, "Take several words")
    return found


def of_colleague(file: Path | None) -> str:
    """Get the passphrase of a key that is for somebody else: from a file, or a terminal.

    Raises:
        ConfigInvalid: there is none, or none that will do.
    """
    if file is None and not (sys.stdin.isatty() and sys.stderr.isatty()):
        problem = "the colleague's key is to be encrypted, and nobody is there to type that"
        raise ConfigInvalid("get", "passphrase", problem, "Give --their-passphrase-file FILE")
    found = _read(file) if file else _ask("Passphrase of the colleague's key: ", new=True)
    if len(found) < LEAST:
        problem = f"it is shorter than {LEAST} characters"
        raise ConfigInvalid("use", "passphrase", problem, "Take several words")
    return found


def _read(file: Path) -> str:
    """Read the first line of a file."""
    try:
        with file.open("rb") as opened:
            content = opened.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise ConfigInvalid("read", f"passphrase {file}", "it is longer than 1 KiB", "Name another file")
        return content.decode().partition("\n")[0].rstrip("\r")
    except UnicodeDecodeError:
        raise ConfigInvalid("read", f"passphrase {file}", "it is no text", "Name another file") from None
    except OSError as error:
        problem = error.strerror or str(error)
        hint = "Check the path and its permissions"
        raise ConfigInvalid("read", f"passphrase {file}", problem, hint) from error


def _ask(prompt: str = "Passphrase of the operator's keys: ", *, new: bool) -> str:
    first = getpass.getpass(prompt, sys.stderr)
    if new and getpass.getpass("Once more: ", sys.stderr) != first:
        raise ConfigInvalid("get", "passphrase", "the two differ", "Type it twice, the same")
    return first
