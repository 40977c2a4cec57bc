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
"""The name of the floor, and of the kept envelope."""


class Desk:
    """What is in force, and what waits for the keys to prove it.

    Args:
        fleet: ours.
        device: ours.
        kept: what the store holds.

    Attributes:
        desired: the newest desired state that was taken.
        policy: the one in force; None allows all.
        problem: why the last desired state that came was not taken, or "".
    """

    def __init__(self, fleet: str, device: str, kept: Kept) -> None:
        self._fleet, self._device = fleet, device
        self._keys = _kept(kept, key_documents.TARGET, key_documents.decode)
        self._policy_text = kept.documents.get(policy_documents.TARGET, b"").decode()
        self.policy: Policy | None = _kept(kept, policy_documents.TARGET, policy_documents.decode)
        self.desired: Desired | None = _kept(kept, DESIRED, self._trusted)
        self._floor = max(kept.floors.get(DESIRED, 0), self.desired.generation if self.desired else 0)
        self._waiting: bytes | None = None
        self.problem = ""

    @property
    def generation(self) -> int:
        """The newest generation that was taken."""
        return self._floor

    @property
    def policy_text(self) -> str:
        """The policy in force as it was proved, "" for none."""
        return self._policy_text

    @property
    def waits(self) -> bool:
        """Whether a desired state waits for keys that prove it."""
        return self._waiting is not None

    def offer(self, payload: bytes) -> tuple[Desired, Change] | None:
        """Look at a desired state that came.

        Returns:
            What it wants, and what must be durable before it is in force; None when it is not taken.
        """
        if not payload:
            return None  # the operator has deleted it; what was taken stays in force
        if len(payload) > desired_documents.MAX_BYTES:
            self._refuse(MessageInvalid("read", "desired state", f"it has {len(payload)} bytes"))
            return None
        try:
            found = self._proved(payload)
            self._check_newness(found)
        except NotSigned as error:
            self._waiting = payload  # its key may be newer than ours
            self._refuse(error)
        except MessageInvalid as error:
            self._refuse(error)
        else:
            self._waiting, self.problem = None, ""
            if found != self.desired:
                note = Note("desired.taken", self._device, {"generation": found.generation})
                kept = {DESIRED: payload}
                return found, Change(floors={DESIRED: found.generation}, documents=kept, notes=(note,))
        return None

    def take(self, desired: Desired) -> None:
        """A desired state is durable: it is in force."""
        self.desired, self._floor = desired, desired.generation
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
            emit(Event.MESSAGE_REFUSED, name, problem=error)
            return None
        if new == old:
            return None
        note = Note("keys.changed" if name == key_documents.TARGET else "policy.changed", name)
        return Change(documents={name: body.encode()}, notes=(note,))

    def put_in_force(self, name: str, body: str) -> bytes | None:
        """A proved document is durable; give the desired state that has waited for it."""
        if name == policy_documents.TARGET:
            self._policy_text = body
            self.policy = policy_documents.decode(body.encode()) if body else None
            return None
        self._keys = key_documents.decode(body.encode()) if body else None
        return self._waiting

    def _proved(self, payload: bytes) -> Desired:
        keys: ControlKeys | None = self._keys
        verifiers = keys.verifiers("desired") if keys else []
        if not verifiers:
            problem = "no control key is known yet"
            raise NotSigned("verify", "desired state", problem, "Publish keys with: edgectl publish")
        return desired_documents.decode(payload, verifiers, fleet=self._fleet, device=self._device)

    def _trusted(self, payload: bytes) -> Desired:
        """Read what we have kept: it was proved then, by the keys of then."""
        return desired_documents.decode(payload, None, fleet=self._fleet, device=self._device)

    def _check_newness(self, found: Desired) -> None:
        if found.generation < self._floor:
            problem = f"generation {found.generation} is older than {self._floor}, which was taken"
            raise MessageInvalid("take", "desired state", problem, "Deploy again: edgectl deploy")
        if found.generation == self._floor and self.desired is not None and found != self.desired:
            problem = f"it says something else than the generation {self._floor} that was taken"
            raise MessageInvalid("take", "desired state", problem, "Deploy again: edgectl deploy")

    def _refuse(self, error: MessageInvalid) -> None:
        self.problem = str(error)
        emit(Event.MESSAGE_REFUSED, "desired state", refusal=error.refusal, problem=error)


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
