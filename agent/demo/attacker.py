"""Somebody who owns the broker: changes one byte of what it keeps, behind the operator's back.

python -m agent.demo.attacker PORT PROTOCOL FLEET SHA256 CHUNK
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, cast

from agent.fleet.deploying.talk import Talk
from agent.link import topics
from agent.link.settings import LinkSettings

if TYPE_CHECKING:
    from agent.link.versions import Choice

NAME = "attacker"
_ANSWER_S = 20.0


def tamper(port: int, protocol: Choice, fleet: str, sha256: str, chunk: int) -> None:
    """Read a chunk of a file from the broker, and put another one in its place.

    Args:
        port: of the broker, on this machine.
        protocol: what to speak with it.
        fleet: whose files.
        sha256: of the file.
        chunk: its number.

    Raises:
        LinkLost: the broker does not answer.
        KeyError: it does not have the chunk.
    """
    topic = f"{topics.tuf_blob(fleet)}/{sha256}/{chunk}"
    settings = LinkSettings("127.0.0.1", port, NAME, protocol)
    with Talk(settings, [topic], topics.echo(fleet, NAME)) as talk:
        changed = bytearray(talk.kept(_ANSWER_S)[topic])
        changed[len(changed) // 2] ^= 1
        talk.publish(topic, bytes(changed), _ANSWER_S)


if __name__ == "__main__":
    tamper(int(sys.argv[1]), cast("Choice", sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5]))
