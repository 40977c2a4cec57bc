"""Settings and maintenance windows, as the command line says them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from agent.config.overrides import check
from agent.documents.desired import Key, Maintenance
from agent.errors import ConfigInvalid
from agent.fleet.commanding.arguments import value_of
from agent.schedules import DAYS
from agent.validation import first_problem

if TYPE_CHECKING:
    from collections.abc import Sequence

_KEY: TypeAdapter[str] = TypeAdapter(Key)
_WINDOW = re.compile(r"(?:([a-z,-]+) +)?(\d\d:\d\d)-(\d\d:\d\d)(?: +(\S+))?")
_HINT = "Write it as 'sat,sun 02:00-04:00 Europe/Berlin'; days and zone may be left out"


def settings(words: Sequence[str]) -> dict[str, Any]:
    """Read settings, each KEY=VALUE: the value is JSON, or text as it stands.

    Raises:
        ConfigInvalid: one does not read, or is not the operator's to set.
    """
    found = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            hint = "Write it as pipelines.door.max_rate=5"
            raise ConfigInvalid("read", f"--set {word}", "it is no KEY=VALUE", hint)
        found[checked(key)] = value_of(text)
    return found


def checked(key: str) -> str:
    """Give a setting's key, if it may be set at all.

    Raises:
        ConfigInvalid: it may not.
    """
    check(key)
    try:
        return _KEY.validate_python(key)
    except ValidationError as error:
        raise ConfigInvalid("read", f"setting {key}", first_problem(error), "") from error


def maintenance(words: Sequence[str]) -> Maintenance | None:
    """Read windows: days, begin and end, and a time zone; None for no words.

    Raises:
        ConfigInvalid: one does not read, or they name several zones.
    """
    if not words:
        return None
    windows, zones = [], set()
    for word in words:
        found = _WINDOW.fullmatch(word.strip())
        if not found:
            raise ConfigInvalid("read", f"--maintenance {word!r}", "it is no window", _HINT)
        days, begin, end, zone = found.groups()
        windows.append({"begin": begin, "end": end, **({"days": _days(word, days)} if days else {})})
        zones.add(zone or "")
    if len(zones) > 1:
        raise ConfigInvalid("read", "--maintenance", "the windows name several zones", "Give each the same")
    try:
        return Maintenance.model_validate({"windows": tuple(windows), "zone": zones.pop()}, strict=False)
    except ValidationError as error:
        raise ConfigInvalid("read", "--maintenance", first_problem(error), _HINT) from error


def _days(word: str, text: str) -> tuple[str, ...]:
    """Read days with commas, and from one to another: "mon-fri,sun"."""
    found: list[str] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first not in DAYS or (last or first) not in DAYS:
            hint = f"Days are: {', '.join(DAYS)}"
            raise ConfigInvalid("read", f"--maintenance {word!r}", f"{part} is no day", hint)
        begin, end = DAYS.index(first), DAYS.index(last or first)
        found += [DAYS[n % 7] for n in range(begin, (end if end >= begin else end + 7) + 1)]
    return tuple(dict.fromkeys(found))
