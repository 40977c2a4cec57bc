"""edge-agent report: one document on this device: what it is, whom it trusts, and what is amiss."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from agent.cli.device import service
from agent.errors import EXIT_FAILED, EXIT_OK
from agent.wording import plain

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

HELP = "tell what this device is, whom it trusts, and what is amiss"
DESCRIPTION = """\
One document on this device, for whoever reviews it: releases, board, what the kernel and systemd hold the
agent to, keys and certificates in use (never the keys themselves), models with their hashes, the audit log's
head, what may be done from afar, what is kept and for how long, and how the agent stands to standards of
security. What is amiss comes first, with what to do. It changes nothing, works beside a running agent and
without one, and says what it could not see: root sees most."""
EPILOG = """\
examples:
  sudo edge-agent report
  edge-agent report --config agent.toml --json | jq .deviations
  edge-agent report --sbom > sbom.cdx.json   what is installed, as CycloneDX
  edge-agent report --strict                 for a script that watches

exit codes: 0 told, whatever is amiss; 1 with --strict, where something is; 2 usage"""
_COLUMN = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    service.add_config(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object, with all of it")
    form.add_argument("--sbom", action="store_true", help="print the installed packages alone, as CycloneDX")
    parser.add_argument("--strict", action="store_true", help="exit with 1 where something is amiss")


def main(arguments: argparse.Namespace) -> int:
    """Gather and print; give the exit code."""
    from agent.cli.reporting.components import components, cyclonedx
    from agent.cli.reporting.parts import Reported

    if arguments.sbom:
        print(json.dumps(cyclonedx(components()), indent=2))
        return EXIT_OK
    service.look_as(arguments.config)
    report = Reported(arguments.config).whole()
    if arguments.json:
        print(json.dumps(report))
    else:
        print("\n".join(plain(line, 1000) for line in lines(report)))
    return EXIT_FAILED if arguments.strict and report["deviations"] else EXIT_OK


def lines(report: dict[str, Any]) -> Iterator[str]:
    """Give the report for people: what is amiss first."""
    agent = report["agent"] or {}
    yield f"{report['device'] or 'unknown'}  edge-agent {agent.get('edge-agent', '?')}  {report['at']}"
    amiss = report["deviations"]
    yield f"{len(amiss)} amiss" if amiss else "nothing amiss that can be seen from here"
    for one in amiss:
        yield f"  {one['id']}: {one['problem']}"
        yield f"    {one['hint']}"
    reasons: dict[str, list[str]] = {}
    for one in report["unseen"]:
        reasons.setdefault(one["why"], []).append(one["part"])
    for why, parts in reasons.items():
        yield f"not seen: {', '.join(parts)}: {why}"
    for name, told in _facts(report):
        yield f"{name:<{_COLUMN}}{told}"


def _facts(report: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if board := report["board"]:
        yield "board", f"{board['title']} ({board['why']})"
    kernel = report["kernel"]
    walls = f"Landlock {kernel['landlock'] or 'missing'}, seccomp {'on' if kernel['seccomp'] else 'missing'}"
    yield "kernel", f"{kernel['release']}, {walls}"
    unit = report["service"]
    yield "service", f"{unit['ActiveState']}, ProtectSystem={unit['ProtectSystem']}" if unit else "none"
    yield from _trust(report["trust"] or {})
    for one in report["models"] or ():
        signed = "" if one["signed"] else ", not signed"
        name = f"{one['pipeline']}: {one['name']}@{one['version']} ({one['slot']}{signed})"
        yield "model", f"{name} {one['sha256'][:16]}"
    for one in report["pipelines"] or ():
        told = [f"{one['source']}, private regions {one['private_regions']}, confine {one['confine']}"]
        told += ["pictures from afar"] if one["remote_snapshots"] else []
        told += ["keeps snapshots or clips"] if one["media"] else []
        yield "pipeline", f"{one['name']}: {', '.join(told)}"
    yield from _kept(report)
    counted = Counter(row["verdict"] for one in report["compliance"] for row in one["provisions"])
    listed = ", ".join(f"{verdict} {count}" for verdict, count in counted.most_common())
    yield "provisions", f"of {len(report['compliance'])} standards: {listed} (docs/compliance)"


def _trust(told: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if "broker" in told:
        tls = "TLS" if told["tls"] else "no TLS"
        until = f", certificate until {_day(told['certificate'])}" if told.get("certificate") else ""
        yield "link", f"{told['broker']}, {tls}{until}"
    if told.get("signed"):
        yield "keys", f"signs as {told['device_key_id']}, takes the word of {told['collector_key_id']}"
    if root := told.get("root"):
        newest = ""
        if timestamp := told.get("timestamp"):  # it is known while an agent runs
            newest = (
                f", newest metadata until {_day(timestamp)}" if timestamp["until_s"] else ", no metadata yet"
            )
        yield "updates", f"root {root['version']} until {_day(root)}{newest}"


def _kept(report: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if data := report["data"]:
        age = f"{data['max_age_h']:g} h" if data["max_age_h"] else "until delivered"
        yield "data", f"{data['path']}, at most {data['max_bytes'] / 1e6:.0f} MB, kept {age}"
    if audit := report["audit"]:
        yield "audit", f"head {audit['seq']}:{audit['head']}" if audit["seq"] else "nothing yet"
    if (trust := report["trust"]) is not None and "broker" not in trust:
        yield "from afar", "nothing: the configuration has no broker"
    elif remote := report["remote"]:
        denied = f" but {', '.join(remote['commands']['deny'])}" if remote["commands"]["deny"] else ""
        allowed = ", ".join("all" if one == "*" else one for one in remote["commands"]["allow"])
        may = [f"commands: {allowed or 'none'}{denied}"]
        may += [name.replace("_", " ") for name in ("reboot", "update", "home_assistant") if remote[name]]
        yield "from afar", ", ".join(may)
    yield "packages", f"{len(report['components'] or ())} (edge-agent report --sbom)"


def _day(told: dict[str, Any]) -> str:
    return f"{datetime.fromtimestamp(told['until_s'], UTC):%Y-%m-%d}" if told["until_s"] else "?"
