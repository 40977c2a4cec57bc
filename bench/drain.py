"""The device's side of bench.sync: the real store and uplink on a data folder, until all is acknowledged.

``python -m bench.drain CONFIG`` prints how many seconds it took from before it connected.
"""

from __future__ import annotations

import select
import sys
import time
from pathlib import Path

from agent.cli.device.settings import Loaded
from agent.clock import SystemClock
from agent.store.folder import DataFolder
from agent.store.thread import Store
from agent.supervision.mailbox import Mailbox
from agent.uplink.uplink import Uplink

_TURN_S = 0.005
"""The store says nothing when the last record is gone."""


def main(config: str) -> None:
    plan = Loaded(Path(config)).plan()
    mailbox = Mailbox()
    with DataFolder(plan.data):
        store = Store(plan.data, mailbox.post, clock=SystemClock())
        store.start()
        uplink = Uplink(plan, store, mailbox.post)
        began = time.monotonic()
        uplink.start()
        while store.status().backlog:
            select.select([mailbox], [], [], _TURN_S)
            now = time.monotonic()
            for event in mailbox.take():
                uplink.take(event, now)
            uplink.tick(now)
        print(time.monotonic() - began)
        uplink.close()
        assert store.close(10.0)
    mailbox.close()


if __name__ == "__main__":
    main(sys.argv[1])
