"""Files that a person asked for: written as a whole or not at all, and none is replaced unasked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agent.errors import AgentError

if TYPE_CHECKING:
    from pathlib import Path

WRITING = "write configuration"
"""The operation, in errors."""


def is_there(path: Path) -> bool:
    """Whether anything has that name, also a link to nothing.

    Raises:
        AgentError: the folder refuses to say.
    """
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError as error:
        hint = "Name a folder that is there and that you may write to"
        raise AgentError(WRITING, str(path), (error.strerror or str(error)).lower(), hint) from error
    return True


def taken(path: Path) -> AgentError:
    """Word that a file is there already."""
    hint = "Name another with --output, or replace it with --force"
    return AgentError(WRITING, str(path), "it is there already", hint)


def write(path: Path, text: str, *, replace: bool) -> None:
    """Write a file as a whole or not at all.

    Raises:
        AgentError: the folder refuses.
    """
    try:
        if replace and path.exists() and not path.is_file():  # root would put a file in the place of a device
            path.write_text(text, encoding="utf-8")
            return
        aside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with aside.open("x", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            if replace:
                aside.replace(os.path.realpath(path))  # what a link leads to, not the link
            else:
                os.link(aside, path)  # fails where another was faster
        finally:
            aside.unlink(missing_ok=True)
    except FileExistsError as error:
        raise taken(path) from error
    except OSError as error:
        hint = "Name a folder that is there and that you may write to"
        raise AgentError(WRITING, str(path), (error.strerror or str(error)).lower(), hint) from error
