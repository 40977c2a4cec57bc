"""edge-agent command: have the running agent do what an operator could have it do from afar."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import orjson

from agent.cli.device.commanding import carried_out
from agent.cli.device.sockets import add_socket, socket_of
from agent.cli.terminal.printing import print_table
from agent.commands import registry
from agent.errors import EXIT_FAILED, EXIT_OK, InputRejected
from agent.wording import plain

if TYPE_CHECKING:
    import argparse

HELP = "have the running agent do a command"
DESCRIPTION = """\
Has the agent that runs with the same configuration do a command, through the inbox that the operator's
commands go through, and waits for what becomes of it. Whoever may use the agent's socket may do all of
them: commands.allow and commands.deny are about the operator's."""
EPILOG = """\
examples:
  edge-agent command --list
  sudo edge-agent command restart pipeline=door
  sudo edge-agent command status --json | jq .result.pipelines

exit codes: 0 done, 1 it failed or was refused, or no agent runs, 2 usage"""
_TIMEOUT_S = 60.0
_MOST_ARGS = 32


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("command", metavar="OP", nargs="?", help="which command; --list shows all")
    parser.add_argument(
        "args", metavar="KEY=VALUE", nargs="*", help="its arguments; values are JSON, or texts"
    )
    add_socket(parser)
    parser.add_argument("--list", action="store_true", help="list the commands that there are")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--timeout", type=float, default=_TIMEOUT_S, metavar="SECONDS", help="how long to wait; default 60"
    )


def main(arguments: argparse.Namespace) -> int:
    """Do it and print what became of it; give the exit code."""
    if arguments.list or not arguments.command:
        return _list(as_json=arguments.json)
    registry.find(arguments.command)
    outcome = carried_out(socket_of(arguments), arguments.command, _args(arguments.args), arguments.timeout)
    good = outcome["state"] == "done"
    if arguments.json:
        print(json.dumps(outcome))
    else:
        print(
            f"{outcome['op']}: {outcome['state']}", *filter(None, [plain(outcome["reason"], 500)]), sep=": "
        )
        for key, value in outcome["result"].items():
            print(f"  {key:<12} {plain(value if isinstance(value, str) else json.dumps(value), 2000)}")
    return EXIT_OK if good else EXIT_FAILED


def _list(*, as_json: bool) -> int:
    verbs = [registry.find(op) for op in registry.OPS]
    told = [(verb.op, " ".join(_named(verb)), verb.summary) for verb in verbs]
    if as_json:
        print(json.dumps([{"op": op, "args": args.split(), "summary": words} for op, args, words in told]))
    else:
        print_table(("command", "arguments", "what it does"), [list(row) for row in told])
    return EXIT_OK


def _named(verb: registry.Verb) -> list[str]:
    """Name its arguments; those that may be left out stand in brackets."""
    fields = verb.args.model_fields.items()
    return [name if field.is_required() else f"[{name}]" for name, field in fields]


def _args(texts: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for text in texts[:_MOST_ARGS]:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise InputRejected("read argument", text, "it is no KEY=VALUE", "Write it so: pipeline=door")
        try:
            found[key] = orjson.loads(value)  # which takes no NaN: it would become "not set"
        except orjson.JSONDecodeError:
            found[key] = value
    return found
