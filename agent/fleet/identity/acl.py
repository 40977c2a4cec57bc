"""The broker's access list: who may read and write what, by the name in the certificate. Pure.

The format is that of mosquitto.conf(5). A device's own topics are patterns with its name (%u), never its
client id (%c): a device has two of these, and anyone can take any. Groups and those who are no devices are
listed by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.fleet.identity.place import COLLECTOR, HOME, OPERATOR
from agent.link import topics

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from agent.fleet.identity.place import Site
    from agent.fleet.inventory import Entry

_U = "%u"
_HEAD = """\
# Made by edgectl, and made anew by each edgectl init, enroll and disenroll: do not edit.
# After a change: kill -HUP mosquitto.

"""


def access_list(site: Site, devices: Iterable[Entry]) -> str:
    """Write the list.

    Args:
        site: the fleet.
        devices: all of them, those that are revoked, too: nothing is allowed to these.
    """
    return _HEAD + "\n".join([*_patterns(site), *_others(site), *_devices(site, devices)]) + "\n"


def _patterns(site: Site) -> Iterator[str]:
    root = f"edge/v1/{site.fleet}"
    yield f"pattern read {root}/tuf/#"
    yield f"pattern read {root}/d/{_U}/down/#"
    yield f"pattern read {root}/all/cmd"
    yield f"pattern write {root}/d/{_U}/up/#"
    yield f"pattern readwrite {root}/d/{_U}/echo/+"
    if site.home_assistant:
        yield f"pattern write {site.home_assistant}/device/{_U}/config"


def _others(site: Site) -> Iterator[str]:
    root, device = f"edge/v1/{site.fleet}", f"edge/v1/{site.fleet}/d/+"
    yield from ("", f"user {OPERATOR}")
    yield f"topic readwrite {root}/tuf/#"
    yield f"topic readwrite {device}/echo/+"
    yield f"topic readwrite {device}/down/desired"
    yield f"topic write {device}/down/cmd"
    yield f"topic write {root}/g/+/cmd"
    yield f"topic write {root}/all/cmd"
    yield f"topic read {device}/up/#"
    yield from ("", f"user {COLLECTOR}")
    yield from (
        f"topic read {one}" for one in (*topics.all_batches(site.fleet), topics.all_states(site.fleet))
    )
    yield f"topic write {device}/down/ack"
    if site.home_assistant:
        yield from ("", f"user {HOME}")
        yield f"topic read {site.home_assistant}/#"
        yield f"topic write {site.home_assistant}/status"
        yield f"topic read {device}/up/state"
        yield f"topic read {device}/up/ha"


def _devices(site: Site, devices: Iterable[Entry]) -> Iterator[str]:
    for one in devices:
        if one.revoked:
            yield from ("", f"user {one.name}", "topic deny #")
        elif one.groups:
            yield from ("", f"user {one.name}")
            yield from (f"topic read {topics.group_cmd(site.fleet, group)}" for group in one.groups)
