"""Where errors become one line and an exit code, for each of our commands, and only here."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from agent.errors import EXIT_FAILED, AgentError, ConfigInvalid
from agent.wording import plain

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST = 4000
"""Characters of an error line; names from outside can be long, and hold what moves a cursor."""


def guarded(program: str, run: Callable[[], int]) -> int:
    """Run a program and write its output to the end; give the exit code.

    Args:
        program: what it is called.
        run: does what it does, and gives the exit code.
    """
    try:
        code = run()
        sys.stdout.flush()
    except AgentError as error:
        for line in (str(error), *(error.also if isinstance(error, ConfigInvalid) else ())):
            print(f"{program}: {plain(line, _LONGEST)}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_FAILED
    except BrokenPipeError:
        _drop_output()  # its reader left
        return EXIT_FAILED
    except OSError as error:  # what our own code expects of files it words itself: this is the output's
        _drop_output()
        print(f"{program}: write output: {error.strerror or error}", file=sys.stderr)
        return EXIT_FAILED
    return code


def _drop_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
