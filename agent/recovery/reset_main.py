"""The program that resets an accelerator's device, and ends. It loads no native code.

``python -m agent.recovery.reset_main SOCKET_FD SPEC_FD PARENT_PID``; what it resets is the profile's entry.
Exit codes: 0 the device was reset; 1 it was not, and why is said on the socket.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agent.boards.accelerators import Accelerator, delegate_of
from agent.errors import EXIT_FAILED, EXIT_OK, AgentError
from agent.processes import program

if TYPE_CHECKING:
    from typing import NoReturn


def main() -> NoReturn:
    """Run the program; never returns."""
    channel, _, spec = program.begin()
    accelerator = Accelerator.model_validate_json(spec)
    code = EXIT_FAILED
    problem = "no device of it can be reset; may this user write to its node? See docs/operations.md"
    try:
        if delegate_of(accelerator).reset():
            code = EXIT_OK
    except (AgentError, OSError) as error:
        problem = str(error)
    if code != EXIT_OK:
        channel.send(problem[:2000].encode())
    os._exit(code)


if __name__ == "__main__":
    main()
