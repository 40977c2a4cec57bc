"""Somebody who owns the broker: changes one byte of what it keeps, behind the operator's back.

python -m agent.demo.attacker PORT PROTOCOL FLEET SHA256 CHUNK
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, cast

from agent.cli.terminal.guarded import guarded
from agent.errors import EXIT_OK, Absent
from agent.fleet.talk import Talk
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
        Absent: it does not have the chunk.
    """
    topic = f"{topics.tuf(fleet)}blob/{sha256}/{chunk}"
    settings = LinkSettings("127.0.0.1", port, NAME, protocol)
    with Talk(settings, [topic], topics.echo(fleet, NAME)) as talk:
        found = talk.kept(_ANSWER_S)
        if topic not in found:
            raise Absent("tamper with", topic, "the broker does not have it")
        changed = bytearray(found[topic])
        changed[len(changed) // 2] ^= 1
        talk.publish(topic, bytes(changed), _ANSWER_S)


def _main() -> int:
    port, protocol, fleet, sha256, chunk = sys.argv[1:]
    tamper(int(port), cast("Choice", protocol), fleet, sha256, int(chunk))
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(guarded(NAME, _main))
