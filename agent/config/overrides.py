"""Settings that an operator lays over those of the configuration file, by dotted keys; pure.

``pipelines.door.max_rate`` is the key ``max_rate`` of the pipeline named "door". Only what stands in
``SETTABLE`` and ``OF_PIPELINE`` may be set: nothing that says whom the device trusts, what it keeps private,
where it connects, what files it reads or what programs it starts.
"""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

from agent.config.errors import HINT
from agent.errors import ConfigInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.config.errors import Loc

OF_PIPELINE = (
    "max_rate",
    "gates",
    "filters",
    "alert_on",
    "priority",
    "decoder",
    "pre",
    "media",
    "health",
)
"""What of a pipeline an operator may set, whole or key by key."""
SETTABLE = {
    "metrics": ("*",),
    "governor": ("*",),
    "deadlines": ("*",),
    "log": ("level",),
    "store": ("max_bytes", "max_age_h", "media_max_bytes"),
    "mqtt": ("max_bytes_per_s", "resend_s", "reconnect_max_s"),
    "models": ("mirror", "refresh_h", "max_bytes", "window"),
}
"""Of which tables he may set which keys; ``*`` stands for each."""
_KEY = re.compile(r"[a-z][a-z0-9_]*(\.[A-Za-z0-9_-]+)+")
_SUBJECT = "override"
_MOST, _DEPTH, _CHARACTERS = 256, 8, 200


def laid_over(tables: dict[str, Any], values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[Loc, str]]:
    """Lay settings over the parsed file.

    Args:
        tables: the file's; they are not changed.
        values: the settings by their keys; None is as if the file did not have the key.

    Returns:
        The tables, and of each setting the path in them with the key that has set it.

    Raises:
        ConfigInvalid: a key is not the operator's to set, or leads nowhere.
    """
    if len(values) > _MOST:
        raise refused("(all)", f"there are {len(values)} settings, and {_MOST} are the most")
    found = copy.deepcopy(tables)
    paths: dict[Loc, str] = {}
    for key in sorted(values):  # a whole table comes before its keys
        check(key)
        paths[_set(found, key, copy.deepcopy(values[key]))] = key
    return found, paths


def check(key: str) -> None:
    """Look whether a key may be set at all.

    Raises:
        ConfigInvalid: it may not.
    """
    if len(key) > _CHARACTERS or not _KEY.fullmatch(key) or key.count(".") > _DEPTH:
        raise refused(key[:_CHARACTERS], "this is no key of a setting", "Write it as pipelines.NAME.max_rate")
    table, first, *rest = key.split(".")
    if table == "pipelines":
        if not rest or rest[0] not in OF_PIPELINE:
            raise refused(key, "it is not the operator's to set", f"Of a pipeline: {', '.join(OF_PIPELINE)}")
    elif first not in SETTABLE.get(table, ()) and SETTABLE.get(table) != ("*",):
        keys = SETTABLE.get(table, tuple(f"{one}.*" for one in ("pipelines.NAME", *SETTABLE)))
        raise refused(key, "it is not the operator's to set", f"These are: {', '.join(keys)}")


def refused(key: str, problem: str, hint: str = "", loc: Loc = ()) -> ConfigInvalid:
    """Make the error for one override."""
    return ConfigInvalid("", f"{_SUBJECT} {key}", problem, hint or HINT, loc=loc)


def _set(tables: dict[str, Any], key: str, value: Any) -> Loc:
    place: Any = tables
    parts = key.split(".")
    loc: list[str | int] = []
    if parts[0] == "pipelines":
        number, place = _pipeline(tables, key, parts[1])
        loc, parts = ["pipelines", number], parts[2:]
    for part in parts[:-1]:
        place = place.setdefault(part, {})
        loc.append(part)
        if not isinstance(place, dict):
            raise refused(key, f"{'.'.join(map(str, loc))} is no table here", "Set it as a whole")
    if value is None:
        place.pop(parts[-1], None)
    else:
        place[parts[-1]] = value
    return (*loc, parts[-1])


def _pipeline(tables: dict[str, Any], key: str, name: str) -> tuple[int, dict[str, Any]]:
    pipelines = tables.get("pipelines")
    known = [one for one in pipelines if isinstance(one, dict)] if isinstance(pipelines, list) else []
    for number, one in enumerate(known):
        if one.get("name") == name:
            return number, one
    names = ", ".join(str(one.get("name")) for one in known)
    raise refused(key, f"there is no pipeline {name!r}", f"There are: {names}")
