"""python -m agent.host.main: the helper that runs as root; ``systemd/edge-agent-host.service`` starts it."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from pathlib import Path

from agent.clock import SystemClock
from agent.errors import EXIT_FAILED, EXIT_OK, AgentError
from agent.host.deputies import Units
from agent.host.helper import Helper
from agent.host.orders import FETCHED
from agent.host.orders import HOME as ORDERS
from agent.host.settings import CONFIG, load
from agent.host.told import HOME

_STAY_S = 61.0
"""So its units' limits (10 starts in 600 s, 5 in 60 s) are never reached by requests that are served."""


def main() -> int:
    """Serve what is asked for; give the exit code."""
    parser = argparse.ArgumentParser(prog="edge-agent-host", description=__doc__)
    parser.add_argument("--config", type=Path, default=CONFIG, metavar="FILE", help=f"default {CONFIG}")
    parser.add_argument("--home", type=Path, default=Path(HOME), metavar="DIR", help=f"default {HOME}")
    parser.add_argument("--orders", type=Path, default=Path(ORDERS), metavar="DIR", help=f"default {ORDERS}")
    parser.add_argument(
        "--fetched", type=Path, default=Path(FETCHED), metavar="DIR", help=f"default {FETCHED}"
    )
    parser.add_argument("--stay", type=float, default=_STAY_S, metavar="SECONDS", help="default %(default)s")
    arguments = parser.parse_args()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)-7s %(message)s")
    try:
        before = _stamp(arguments.config)
        up_s = time.clock_gettime(time.CLOCK_BOOTTIME)
        deputies = Units(arguments.orders, arguments.fetched)
        Helper(
            load(arguments.config),
            arguments.home,
            deputies,
            boot=SystemClock().boot,
            up_s=up_s,
            stay_s=arguments.stay,
            changed=lambda: _stamp(arguments.config) != before,
        ).run()
    except AgentError as error:
        print(error, file=sys.stderr)
        return EXIT_FAILED
    except OSError as error:
        print(f"serve request: {error}. See journalctl -u edge-agent-host", file=sys.stderr)
        return EXIT_FAILED
    return EXIT_OK


def _stamp(path: Path) -> tuple[int, ...]:
    """Give what changes when somebody writes a file."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size


if __name__ == "__main__":
    sys.exit(main())
