"""edge-agent status: ask the running agent how it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from agent.cli.device.sockets import add_socket, socket_of
from agent.cli.showing import governor
from agent.errors import AgentError
from agent.supervision.control import ask
from agent.wording import in_words, plain

if TYPE_CHECKING:
    import argparse

HELP = "ask the running agent how it is"
DESCRIPTION = """\
Asks the agent that runs with the same configuration, over its local socket: each pipeline's state, rate,
latency and frame ledger, each accelerator's state and incidents, what the store holds, and how the link to
the broker is. "(twin)" means that the CPU stands in for an accelerator."""
EPILOG = """\
examples:
  edge-agent status
  edge-agent status --config agent.toml --json | jq .pipelines[0].ledger

exit codes: 0 every pipeline runs or has ended, 1 one does not, or no agent answers"""
_LONGEST = 4000
_UNHEARD_S = 15.0
"""A collector that lives has acknowledged something of what waits for so long."""
_STAGES = ("capture_wait", "preprocess", "queue", "infer", "decode", "send", "total")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_socket(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def main(arguments: argparse.Namespace) -> int:
    """Ask and print; give the exit code."""
    status = ask(socket_of(arguments), {"op": "status"})
    if "pipelines" not in status:
        raise AgentError("ask agent at", str(socket_of(arguments)), "what answers there is no agent")
    if arguments.json:
        print(json.dumps(status))
    else:
        print(
            "\n".join(plain(line, _LONGEST) for line in _lines(status))
        )  # a worker's words may steer a terminal
    good = all(pipeline["state"] in {"running", "starting", "ended"} for pipeline in status["pipelines"])
    return 0 if good and not status["store"]["problem"] else 1


def _lines(status: dict[str, Any]) -> list[str]:
    store, link = status["store"], status["link"]
    lines = [
        (
            f"{status['device']}  edge-agent {status['version']}  up {status['uptime_s']:.0f} s"
            f"  profile {status['profile']}"
        )
    ]
    for one in status["pipelines"]:
        lines += _pipeline(one)
    for one in status.get("sources", ()):
        lines += _source(one)
    for one in status.get("accelerators", ()):
        lines += _accelerator(one)
    lines += governor.of_board(status.get("governor"))
    lines += [
        f"  store  committed {store['committed']}  acknowledged {store['acked']}  waiting {store['backlog']}",
        f"         {store['bytes'] / 1e6:.1f} MB in {store['path']}",
    ]
    if store["problem"]:
        lines.append(f"    problem: {store['problem']}")
    lines += _commands(status)
    lines.append(f"  link   {link['state']}" + (f"  {link['broker']}" if "broker" in link else ""))
    if link.get("signed") is False:
        lines.append("    not signed: whoever reaches the broker can have results deleted (docs/security.md)")
    if link.get("problem"):
        lines.append(f"    problem: {link['problem']}")
    if link.get("blocked"):
        lines.append(f"    blocked: {link['blocked']}")
    if link.get("silent") or (store["backlog"] and link.get("unheard_s", 0.0) > _UNHEARD_S):
        lines.append(
            "    nothing heard of the collector: does it run, for this fleet, with this device's key?"
        )
    if count := status["events"].get("device.doubled"):
        lines.append(
            f"    another client has used this device's id, {count} times: is there a second device?"
        )
    return lines


def _pipeline(one: dict[str, Any]) -> list[str]:
    """How a pipeline is, its accounts, how long its frames take, and its newest result."""
    ledger = one["ledger"]
    dropped, failed = sum(ledger["dropped"].values()), sum(ledger["failed"].values())
    name, model = f"{one['name']:<16} {one['state']:<9}", f"{one['model'] or '-':<20}"
    stands_in = "  (twin)" if one.get("twin") else ""
    lines = [f"  {name} {model} {one['delegate'] or '-':<8} {one['fps']:6.1f} fps{stands_in}{_tuned(one)}"]
    ends = f"dropped {dropped}  failed {failed}  lost {ledger['lost']}  restarts {one['restarts']}"
    lines.append(f"    captured {ledger['captured']}  inferred {ledger['inferred']}  {ends}")
    if gated := ledger.get("gated"):
        lines.append(f"    gated {gated}: a gate or max_rate left them out")
    if held := ledger.get("filtered"):  # an older agent has no filters
        lines.append(f"    filtered {', '.join(f'{count} {name}' for name, count in held.items())}")
    lines += _latency(one.get("latency", {}))
    if last := one.get("last"):  # an older agent says nothing of it
        lines.append(f"    {in_words(last['items'], more=last['more'])}  ({last['age_s']:.1f} s ago)")
    lines += governor.of_pipeline(one)
    lines += _wants(one.get("wants"))  # nothing where no operator's models are taken
    if unwell := one.get("unwell"):  # an older agent says nothing of it
        lines.append(f"    the camera is unwell: {', '.join(unwell)}")
    if one["problem"]:
        lines.append(f"    last problem: {one['problem']}")
    return lines


def _commands(status: dict[str, Any]) -> list[str]:
    """What an operator wants done, and is not begun yet."""
    waiting = status.get("commands", ())  # an older agent has none that wait
    return [f"  command {one['op']}: {one['waits']}" for one in waiting]


def _source(one: dict[str, Any]) -> list[str]:
    """How a source with a name is, and who uses it."""
    restarts = f"  restarts {one['restarts']}" if one["restarts"] else ""
    lines = [
        f"  source {one['name']:<9} {one['state']}  {one['kind']} for {', '.join(one['pipelines'])}{restarts}"
    ]
    if one["problem"]:
        lines.append(f"    problem: {one['problem']}")
    return lines


def _accelerator(one: dict[str, Any]) -> list[str]:
    """How an accelerator is, and what has befallen it; in a word where nothing has."""
    again = "" if one["next_try_s"] is None else f"  next try in {one['next_try_s']:.0f} s"
    lines = [f"  {one['name']:<16} {one['state']} for {one['since_s']:.0f} s{again}"]
    if one["device"]:
        lines.append(f"    {one['device']}")
    if one["incidents"]:
        kinds = ", ".join(f"{kind} {count}" for kind, count in one["incidents"].items())
        blind = f"blind {one['blind_ms']:.0f} ms, {one['blind_sum_ms']:.0f} ms in all"
        lines.append(f"    incidents: {kinds}")
        lines.append(f"    rung {one['rung']}  restarts {one['restarts']}  {blind}")
    if one["problem"]:
        lines.append(f"    last problem: {one['problem']}")
    return lines


def _tuned(pipeline: dict[str, Any]) -> str:
    """Say that threads and kernels are the tuner's choice; an older agent knows none."""
    return "  tuned" if pipeline.get("tuned") else ""


def _wants(wants: dict[str, Any] | None) -> list[str]:
    """How far the pipeline is with the model that the operator wants; nothing when it is there."""
    if wants is None or wants["state"] in {"idle", "active"}:
        return []
    model = "{name}@{version}".format(**wants["wanted"]) if wants["wanted"] else "a model"
    why = f": {wants['reason']}" if wants["reason"] else ""
    return [f"    {model} is {wants['state'].replace('_', ' ')}{why}"]


def _latency(stages: dict[str, dict[str, float]]) -> list[str]:
    """A table of at most 80 columns: what a frame waits for, and what is done to it, in its order."""
    shown = [name for name in _STAGES if name in stages]
    if not shown:
        return []
    widths = {name: max(9, len(name) + 1) for name in shown}
    head = "".join(f"{name.replace('_', ' '):>{widths[name]}}" for name in shown)
    lines = [f"    ms    {head}"]
    for key, label in (("p50", "p50"), ("p95", "p95"), ("p99", "p99"), ("p999", "p99.9")):
        cells = (f"{stages[name].get(key, 0.0):{widths[name]}.{_digits(stages[name])}f}" for name in shown)
        lines.append(f"    {label:<6}" + "".join(cells))
    return lines


def _digits(percentiles: dict[str, float]) -> int:
    """So many digits that the column is narrow, and 10 us still show where all is fast."""
    longest = max(percentiles.values(), default=0.0)
    return 2 if longest < 1000 else 0
