"""Let everything go wrong in each state of a new model's life, and write what came of it as a table.

    python -m tests.faults

A row says what the device reported right after, and the longest time without a frame.
"""

from __future__ import annotations

import re
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from agent.demo.broker import Broker
from tests.simulators.mishap_stories import tellings


def main() -> int:
    """Run the program; give the exit code."""
    print("| the new model stood | what happened | serves | said | longest gap [s] |\n|---|---|---|---|---|")
    for state, how, tell in tellings():
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edge-agent-faults-")))
            broker = Broker(folder / "broker", kind="mosquitto")
            broker.start()
            stack.callback(broker.stop)
            for mishap, gap_s in tell(folder, broker.port):
                where = f"{state}, by restart" if how == "restart" else state
                said = re.sub(r"/\S*/bundles/([0-9a-f]{8})[0-9a-f]*", r"\1", mishap.said)
                print(f"| {where} | {mishap.fault} | {mishap.serves} | {said} | {gap_s:.2f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
