"""Who commands devices: signs with a control key, or with another, and counts as it should, or not."""

from __future__ import annotations

import itertools
import json
import time
from typing import TYPE_CHECKING

from agent.documents import command as documents
from agent.documents.command import Command
from agent.trust.signing import Signer, generate

if TYPE_CHECKING:
    from typing import Any

_ids = itertools.count(1)
_counters = itertools.count(1)


class Key:
    """A key, with what its owner may sign, as ``fleet/keys.json`` tells.

    Attributes:
        signer: its private half.
        entry: its public half, as that document has it.
    """

    def __init__(self, *scopes: str) -> None:
        private, public = generate()
        self.signer = Signer.from_pem(private)
        self.entry = {"pem": public.decode(), "scopes": list(scopes)}


def keys_document(*keys: Key) -> bytes:
    """Give ``fleet/keys.json`` with these keys."""
    return json.dumps({"v": 1, "keys": [key.entry for key in keys]}).encode()


def order(op: str, **changes: Any) -> Command:
    """Make a command that is valid for a minute; ``changes`` are other values of its fields."""
    now = int(time.time())
    fields = {
        "v": 1,
        "fleet": "default",
        "audience": "d/device",
        "id": f"test-{next(_ids):08}",
        "counter": next(_counters),
        "issued": now,
        "expires": now + 60,
        "op": op,
        "args": {},
    }
    return Command.model_validate(fields | changes)


def signed(command: Command, *keys: Key) -> bytes:
    """Make the message."""
    return documents.encode(command, *(key.signer for key in keys))
