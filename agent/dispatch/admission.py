"""Which commands are taken: each is proved, for us, in time, new, and allowed. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson

from agent.commands import registry
from agent.documents import command as documents
from agent.documents.base import parse
from agent.documents.command import BARE, Command
from agent.errors import MessageInvalid, NotSigned, WrongSender

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from agent.documents.outcome import Refusal
    from agent.trust.signing import Verifier

    _Found = tuple[Refusal, str] | None

AHEAD_S = 300
"""How far in our future a command may have been issued: clocks differ."""
_BARE_BYTES = 2 << 10
_ALWAYS = BARE | {"rollback"}
"""What is done by metadata that has expired, too: it leads to nothing that did not serve before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What holds when a command comes.

    Attributes:
        fleet: ours.
        audiences: those that we belong to.
        verifiers: every control key.
        may: whether the key of this id may sign this command.
        no_keys: why there are none, and what to do, where there are none.
        wall_s: the wall clock, seconds since 1970.
        floor_s: it is not earlier than this, whatever that clock says.
        fresh: whether the metadata that names the keys has not expired.
        floors: the highest counter that was taken, by ``floor_name``.
        allow: the commands that this device obeys; "*" for all.
        deny: those that it does not obey all the same.
        expire_s: the longest that a command may be valid.
    """

    fleet: str
    audiences: frozenset[str]
    verifiers: Sequence[Verifier] = ()
    may: Callable[[str, str], bool] = lambda _key, _op: False
    no_keys: str = "no control key is known yet. Publish keys with: edgectl publish"
    wall_s: int = 0
    floor_s: int = 0
    fresh: bool = True
    floors: Mapping[str, int] = field(default_factory=dict)
    allow: Sequence[str] = ("*",)
    deny: Sequence[str] = ()
    expire_s: float = 86400.0

    @property
    def now_s(self) -> int:
        """What time it is, as far as can be proved."""
        return max(self.wall_s, self.floor_s)

    @property
    def set(self) -> bool:
        """Whether the wall clock was ever set."""
        return self.wall_s >= self.floor_s


@dataclass(frozen=True, slots=True)
class Refused:
    """One that is not taken.

    Attributes:
        refusal: under what it is counted.
        reason: for people.
        command: the command; None where nobody vouches for it, so that it gets no answer.
    """

    refusal: Refusal
    reason: str
    command: Command | None = None


@dataclass(frozen=True, slots=True)
class Proved:
    """One that was read: ``key`` is the id of the key that has signed it, "" for one that came bare."""

    command: Command
    key: str


def floor_name(key: str, audience: str) -> str:
    """Give the name of the floor of counters that one key uses for one audience."""
    return f"command/{key}/{audience}"


def read(payload: bytes, terms: Terms) -> Proved | Refused:
    """Prove and read a message; nothing looks into one that is not proved but for what may come bare."""
    try:
        command, key = documents.decode(
            payload, terms.verifiers, fleet=terms.fleet, audiences=terms.audiences
        )
    except NotSigned as error:
        return _bare(payload, terms) or Refused(
            "signature", str(error) if terms.verifiers else f"verify command: {terms.no_keys}"
        )
    except WrongSender as error:
        return Refused("audience", str(error), _meant_for_others(payload, terms))
    except MessageInvalid as error:
        return Refused("format", str(error))
    if command.op in BARE and not (terms.fresh and terms.may(key, command.op)):
        return Proved(command, "")
    return Proved(command, key)


def _bare(payload: bytes, terms: Terms) -> Proved | None:
    """Read what may be asked without a signature; None where it is anything else."""
    if len(payload) > _BARE_BYTES:
        return None
    try:
        command, _ = documents.decode(payload, None, fleet=terms.fleet, audiences=terms.audiences)
    except MessageInvalid:
        return None
    return Proved(command, "") if command.op in BARE and command.expires > terms.now_s else None


def _meant_for_others(payload: bytes, terms: Terms) -> Command | None:
    """Read a command that is signed, and of our fleet: its sender is told."""
    command, _ = documents.opened(payload, terms.verifiers)
    return command if command.fleet == terms.fleet else None


def judge(one: Proved, terms: Terms) -> Refused | None:
    """Say why a command that is proved, and not known yet, is not taken; None where it is."""
    for check in (_scope, _freshness, _form, _policy, _time, _counter):
        if found := check(one, terms):
            refusal, reason = found
            return Refused(refusal, reason, one.command)
    return None


def _scope(one: Proved, terms: Terms) -> _Found:
    op = one.command.op
    if not terms.may(one.key, op):
        return "scope", f"the key {one.key} may not sign {op}: it needs the scope command.{op}"
    return None


def _freshness(one: Proved, terms: Terms) -> _Found:
    if not terms.fresh and one.command.op not in _ALWAYS:
        return "expired", "the update metadata has expired, or none was seen yet. Sign it: edgectl resign"
    return None


def _form(one: Proved, terms: Terms) -> _Found:
    del terms
    command = one.command
    if command.op not in registry.OPS:
        return "unknown", f"this release knows no {command.op}; it knows: {', '.join(registry.OPS)}"[:500]
    if command.expires <= command.issued:
        return "format", "it expires before it was issued"
    try:
        arguments(command)
    except MessageInvalid as error:
        return "format", str(error)
    return None


def arguments(command: Command) -> object:
    """Read a command's arguments.

    Raises:
        MessageInvalid: they are none of it, or there is no such command.
    """
    verb = registry.find(command.op)
    return parse(verb.args, orjson.dumps(command.args), f"arguments of {command.op}")


def _policy(one: Proved, terms: Terms) -> _Found:
    command = one.command
    obeyed = command.op in BARE or (
        ("*" in terms.allow or command.op in terms.allow) and command.op not in terms.deny
    )
    if not obeyed:
        return "local", f"commands.allow and commands.deny of this device do not let {command.op} through"
    if command.expires - command.issued > terms.expire_s:
        most = f"{terms.expire_s:.0f} s"
        return "local", f"it is valid for {command.expires - command.issued} s; commands.expire_s: {most}"
    return None


def _time(one: Proved, terms: Terms) -> _Found:
    command, now = one.command, terms.now_s
    if command.expires <= now:
        return "expired", f"it was to be begun before {command.expires}, and here it is {now}"
    if terms.set and command.issued > now + AHEAD_S:
        return "clock", f"it was issued at {command.issued}, and here it is {now}: one of the clocks is wrong"
    return None


def _counter(one: Proved, terms: Terms) -> _Found:
    command = one.command
    floor = terms.floors.get(floor_name(one.key, command.audience), 0)
    if command.counter <= floor:
        return "replayed", f"its counter is {command.counter}, and {floor} was taken for {command.audience}"
    return None
