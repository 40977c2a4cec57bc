"""The amqtt broker as a program, for machines without mosquitto: loopback only, anonymous, MQTT 3.1.1.

python -m agent.demo.amqtt_broker PORT
"""

from __future__ import annotations

import asyncio
import logging
import sys

from amqtt.broker import Broker


async def serve(port: int) -> None:
    """Serve on 127.0.0.1:``port`` until the process is killed."""
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    await broker.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    # A client that leaves without a word is an error with traceback to amqtt; here it is a part of the show.
    logging.basicConfig(level=logging.CRITICAL)
    asyncio.run(serve(int(sys.argv[1])))
