"""A process of a simulated fleet: started by ``edgectl simulate``, with its part of the devices."""

from __future__ import annotations

import logging
import resource
import sys
from typing import NoReturn

from agent.fleet.simulating.common import common
from agent.fleet.simulating.loop import Loop
from agent.fleet.simulating.spec import Spec
from agent.processes import program


def main() -> NoReturn:
    """Run the program; never returns."""
    channel, _, spec_json = program.begin()
    # A thousand devices say the same thing a thousand times: events are counted, and told in sums.
    logging.basicConfig(stream=sys.stderr, level=logging.CRITICAL)
    spec = Spec.model_validate_json(spec_json)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    def run() -> bool:
        Loop(spec, common(spec), channel).run()
        return True

    program.serve(channel, "simulated devices", run)


if __name__ == "__main__":
    main()
