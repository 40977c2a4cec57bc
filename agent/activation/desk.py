"""Takes in what the operator has signed: desired state, control keys, policy. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from agent.documents import desired as desired_documents
from agent.documents import keys as key_documents
from agent.documents import policy as policy_documents
from agent.errors import MessageInvalid, NotSigned
from agent.events import Event, emit
from agent.slots import Change, Kept, Note

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.documents.desired import Desired
    from agent.documents.keys import ControlKeys
    from agent.documents.policy import Policy

D = TypeVar("D")

DESIRED = "desired"
"""The name of the kept envelope; those of its floors begin so."""


class Desk:
    """What is in force, and what waits for the keys to prove it.

    The floor of generations hangs on the keys that may sign: what is taken raises that of each key that
    counts then. A thief may have driven one to the end: with another key it begins anew, and what the old
    one has signed counts no more.

    Args:
        fleet: ours.
        device: ours.
        kept: what the store holds.
        refused: told why one is refused.

    Attributes:
        desired: the newest desired state that was taken, signed with a key that counts.
        policy: the one in force; None allows all.
        problem: why the last desired state that came was not taken, or "".
    """

    def __init__(
        self,
        fleet: str,
        device: str,
        kept: Kept,
        refused: Callable[[MessageInvalid], None] = lambda _error: None,
    ) -> None:
        self._fleet, self._device, self._refused = fleet, device, refused
        self._set_keys(_kept(kept, key_documents.TARGET, key_documents.decode))
        self._policy_text = kept.documents.get(policy_documents.TARGET, b"").decode()
        self.policy: Policy | None = _kept(kept, policy_documents.TARGET, policy_documents.decode)
        self.desired: Desired | None = _kept(kept, DESIRED, self._proved)
        self._newest = self.desired
        self._payload = self._last = kept.documents.get(DESIRED, b"")
        self._floors = {name: n for name, n in kept.floors.items() if name.startswith(f"{DESIRED}/")}
        if self.desired:
            self._raise(self.desired.generation)
        self.waits = False
        self.problem = ""

    @property
    def generation(self) -> int:
        """The newest generation that was taken, as far as the keys that count now tell."""
        return max((self._floors.get(name, 0) for name in self._names), default=0)

    @property
    def policy_text(self) -> str:
        """The policy in force as it was proved, "" for none."""
        return self._policy_text

    @property
    def keys(self) -> ControlKeys | None:
        """The control keys in force."""
        return self._keys

    def offer(self, payload: bytes) -> tuple[Desired, Change] | None:
        """Look at a desired state that came.

        Returns:
            What it wants, and what must be durable before it is in force; None when it is not taken.
        """
        if not payload:
            return None  # the operator has deleted it; what was taken stays in force
        if len(payload) <= desired_documents.MAX_BYTES:
            self._last = payload
        try:
            found = self._proved(payload)
            self._check_newness(found)
        except MessageInvalid as error:
            self.waits = isinstance(error, NotSigned)  # its key may be newer than ours
            self.problem = str(error)
            emit(Event.MESSAGE_REFUSED, "desired state", refusal=error.refusal, problem=error)
            self._refused(error)
            return None
        self.waits, self.problem = False, ""
        if found == self._newest and self._wants(self._payload) == found:
            return None
        self._newest, self._payload = found, payload  # at once: what comes before it is durable must be newer
        note = Note("desired.taken", self._device, {"generation": found.generation})
        return found, Change(
            floors=self._raise(found.generation), documents={DESIRED: payload}, notes=(note,)
        )

    def take(self, desired: Desired) -> None:
        """A desired state is durable: it is in force, unless its key counts no more."""
        if desired == self._newest:
            self.desired = desired
            emit(Event.DESIRED_TAKEN, self._device, generation=desired.generation)

    def brought(self, name: str, body: str) -> Change | None:
        """Look at a document that the updater has proved; give what must be durable before it is in force."""
        old = self._keys if name == key_documents.TARGET else self.policy
        decode = {
            key_documents.TARGET: key_documents.decode,
            policy_documents.TARGET: policy_documents.decode,
        }
        try:
            new = decode[name](body.encode()) if body else None
        except (KeyError, MessageInvalid) as error:
            emit(Event.MESSAGE_REFUSED, name[:64], problem=error)
            return None
        if new == old:
            return None
        note = Note("keys.changed" if name == key_documents.TARGET else "policy.changed", name)
        return Change(documents={name: body.encode()}, notes=(note,))

    def put_in_force(self, name: str, body: str) -> bytes | None:
        """A proved document is durable; give the desired state that came last, for another look."""
        if name == policy_documents.TARGET:
            self._policy_text = body
            self.policy = policy_documents.decode(body.encode()) if body else None
            return None
        self._set_keys(key_documents.decode(body.encode()) if body else None)
        if self._newest and self._newest not in (self._wants(self._payload), self._wants(self._last)):
            self.desired = self._newest = None
            self.problem = "the key that has signed the desired state counts no more"
        return self._last or None

    def _set_keys(self, keys: ControlKeys | None) -> None:
        self._keys, self._verifiers = keys, []
        try:
            self._verifiers = keys.verifiers("desired") if keys else []
        except MessageInvalid as error:
            emit(Event.MESSAGE_REFUSED, key_documents.TARGET, problem=error)
        self._names = [f"{DESIRED}/{verifier.key_id}" for verifier in self._verifiers]

    def _raise(self, generation: int) -> dict[str, int]:
        """Raise the floors of the keys that count; give them."""
        floors = {name: max(generation, self._floors.get(name, 0)) for name in self._names}
        self._floors |= floors
        return floors

    def _wants(self, payload: bytes) -> Desired | None:
        """Read a desired state; None where it is not signed with a key that counts now."""
        try:
            return self._proved(payload)
        except MessageInvalid:
            return None

    def _proved(self, payload: bytes) -> Desired:
        if not self._verifiers:
            problem = "no control key is known yet"
            raise NotSigned("verify", "desired state", problem, "Publish keys with: edgectl publish")
        return desired_documents.decode(payload, self._verifiers, fleet=self._fleet, device=self._device)

    def _check_newness(self, found: Desired) -> None:
        floor = self.generation
        if found.generation < floor:
            problem = f"generation {found.generation} is older than {floor}, which was taken"
            raise MessageInvalid("take", "desired state", problem, "Deploy again: edgectl deploy")
        if found.generation == floor and self._newest is not None and found != self._newest:
            problem = f"it says something else than the generation {floor} that was taken"
            raise MessageInvalid("take", "desired state", problem, "Deploy again: edgectl deploy")


def _kept(kept: Kept, name: str, decode: Callable[[bytes], D]) -> D | None:
    """Read a document that was kept; one that cannot be read any more is as good as none."""
    body = kept.documents.get(name)
    if not body:
        return None
    try:
        return decode(body)
    except MessageInvalid as error:
        emit(Event.MESSAGE_REFUSED, name, problem=error)
        return None
