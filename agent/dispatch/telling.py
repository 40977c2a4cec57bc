"""Tells outcomes to the operator: each until the broker has taken it over, on every new link again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.documents import outcome as documents
from agent.link.settings import LinkDown, LinkPublished, LinkUp

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.documents.outcome import Outcome
    from agent.trust.signing import Signer

_AT_ONCE = 8
"""Outcomes on their way: results go beside them."""
_SHORT = "the broker takes no message of this size: the result is left out"


class Telling:
    """Publishes outcomes.

    Args:
        publish: sends a message by topic and payload; gives its token, None where it was not taken.
        topic: where outcomes go.
        signer: the device's key; None where nothing is signed.
        told: called with a command's id when the broker has its outcome.
    """

    def __init__(
        self,
        publish: Callable[[str, bytes, bool], int | None],
        topic: str,
        signer: Signer | None,
        told: Callable[[str], None],
    ) -> None:
        self._publish, self._topic, self._signer, self._told = publish, topic, signer, told
        self._due: dict[str, Outcome] = {}
        self._flying: dict[int, str] = {}
        self._refused: set[str] = set()
        self._short: set[str] = set()
        self._online = False

    def tell(self, outcome: Outcome) -> None:
        """Tell an outcome that is durable, until it is told."""
        self._due[outcome.id] = outcome
        self._refused.discard(outcome.id)

    def forget(self, identity: str) -> None:
        """Tell it no more: there are too many that the broker does not take."""
        self._due.pop(identity, None)

    def say(self, outcome: Outcome) -> None:
        """Tell one now, once: it is not kept, and who misses it asks again."""
        self._send(outcome)

    def take(self, event: object) -> None:
        """Take in an event of the link; others are ignored."""
        match event:
            case LinkUp() | LinkDown():
                self._online = isinstance(event, LinkUp)
                for kept in (self._flying, self._refused, self._short):
                    kept.clear()
            case LinkPublished(token=token, refused=refused) if token in self._flying:
                identity = self._flying.pop(token)
                if refused:  # an access list, as a rule: on the next link it may be another one
                    self._refused.add(identity)
                elif self._due.pop(identity, None) is not None:
                    self._told(identity)

    def tick(self) -> None:
        """Send what is due, so many at a time; of one that the link does not take, what it may."""
        if not self._online:
            return
        flying = set(self._flying.values())
        for identity, outcome in self._due.items():
            if len(self._flying) >= _AT_ONCE:
                return
            if identity in flying or identity in self._refused:
                continue
            short = identity in self._short
            token = self._send(
                outcome.model_copy(update={"result": {}, "reason": _SHORT}) if short else outcome
            )
            if token is not None:
                self._flying[token] = identity
            else:  # tried once more without its result, then on the next link: others must not wait for it
                (self._refused if short else self._short).add(identity)

    def _send(self, outcome: Outcome) -> int | None:
        return self._publish(self._topic, documents.encode(outcome, self._signer), False)  # noqa: FBT003 - Offer says so
