"""edge-agent plugin: what can be added by name, and whether one keeps to the contract of its kind."""

from __future__ import annotations

import json
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from agent import plugins
from agent.cli.terminal.numbers import number
from agent.cli.terminal.parts import Parts, add_json
from agent.cli.terminal.printing import print_table
from agent.contracts.examining import examine
from agent.contracts.orders import Orders
from agent.contracts.rooms import ROOMS
from agent.errors import EXIT_FAILED, EXIT_OK, ConfigInvalid
from agent.wording import plain

if TYPE_CHECKING:
    import argparse

HELP = "list decoders, filters, gates and other plugins, and check one of your own"
DESCRIPTION = """\
Lists what the configuration can name, of the agent's own and of other distributions' entry points; and checks
that one keeps to the contract of its kind, with the checks that the agent's own pass."""
EPILOG = """\
examples:
  edge-agent plugin list
  edge-agent plugin check level
  edge-agent plugin check level --room decoders --json

exit codes: 0 done, or it passes every check, 1 it fails one, 2 usage, 78 there is no such plugin"""

_MOST = 500
"""Characters of a problem."""
PATHS: tuple[str, ...] = ()
"""Folders with distributions that stand beside the interpreter's own; a worker looks into none."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the parts and their options."""
    parts = Parts(parser, add_json)
    listing = parts.add("list", "list what is installed, and where it comes from", _list)
    listing.add_argument("--room", choices=plugins.ROOMS, help="only this kind")
    checking = parts.add("check", "run the checks of its kind over a plugin, in a process of its own", _check)
    checking.add_argument("name", metavar="NAME", help="what the configuration calls it")
    checking.add_argument("--room", choices=ROOMS, help="its kind, where several have one of that name")
    checking.add_argument(
        "--timeout",
        type=number(float, 0.1, 3600),
        default=20.0,
        metavar="S",
        help="how long one check may take, seconds (default 20)",
    )


def main(arguments: argparse.Namespace) -> int:
    """Do the chosen part; give the exit code."""
    code: int = arguments.do(arguments)
    return code


def _list(arguments: argparse.Namespace) -> int:
    rooms = (arguments.room,) if arguments.room else plugins.ROOMS
    found = [(room, name, _origin(room, name)) for room in rooms for name in plugins.names(room)]
    if arguments.json:
        told = [{"room": room, "name": name, "from": origin} for room, name, origin in found]
        print(json.dumps({"plugins": told}))
    else:
        print_table(("room", "name", "from"), found)
    return EXIT_OK


def _origin(room: str, name: str) -> str:
    """Say which distribution a plugin is of; one with a name of ours is not reached."""
    if plugins.is_own(room, name):
        return "edge-agent"
    point = next(iter(entry_points(group=f"edge_agent.{room}", name=name)))
    of = f"{point.dist.name} {point.dist.version}" if point.dist else "an entry point"
    return f"{of} ({point.value})"


def _check(arguments: argparse.Namespace) -> int:
    room = _room(arguments.name, arguments.room)
    orders = Orders(room=room, name=arguments.name, paths=PATHS)
    findings = []
    for one in examine(orders, arguments.timeout):
        findings.append(one)
        if not arguments.json:
            said = f"{one.says}\n         {plain(one.problem, _MOST)}" if one.problem else one.says
            print(f"{'FAIL' if one.problem else 'ok':<4} {one.check:<11} {said}", flush=True)
    good = not any(one.problem for one in findings)
    if arguments.json:
        checks = [
            {"check": one.check, "ok": not one.problem, "says": one.says, "problem": one.problem}
            for one in findings
        ]
        print(json.dumps({"plugin": arguments.name, "room": room, "ok": good, "checks": checks}))
    return EXIT_OK if good else EXIT_FAILED


def _room(name: str, wanted: str | None) -> str:
    """Find the room of a plugin.

    Raises:
        ConfigInvalid: there is none of that name, or there are several and nobody said which.
    """
    rooms = [room for room in ((wanted,) if wanted else ROOMS) if name in plugins.names(room)]
    if len(rooms) == 1:
        return rooms[0]
    if rooms:
        hint = f"Name its kind: {', '.join(f'--room {room}' for room in rooms)}"
        raise ConfigInvalid("check", f"plugin {name!r}", "several kinds have one of that name", hint)
    known = "; ".join(
        f"{room}: {', '.join(plugins.names(room)) or 'none'}" for room in ((wanted,) if wanted else ROOMS)
    )
    raise ConfigInvalid("check", f"plugin {name!r}", "it is not installed", f"Installed are {known}")
