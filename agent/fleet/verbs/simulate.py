"""edgectl simulate: what the command line says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from agent.errors import AgentError
from agent.fleet.verbs._broker import Broker, with_broker
from agent.fleet.verbs._options import FOLDER, Folder

_HELP = """\
Simulate many devices: their links, results, models and reports, with faults that a seed decides.

Each is the agent without its workers: the real link, delivery, signatures and activation; only
inference and proofs are made up, and one updater of each process fetches models for all its devices.
Their keys are made in DIR, which lists them, too, as the group "simulated". Runs until SIGTERM or
SIGINT; then the devices deliver what they have, and say goodbye.

\b
faults, each with its share of the devices:
  bad              new models fail: their golden answers, or their probation
  crashing-model   a new model's worker dies soon after it has begun to serve
  offline          goes away and comes back, again and again
  late             joins up to a minute later
  slow-link        sends and fetches 2 to 16 KB/s
  wrong-clock      its clock is days or years off

\b
examples:
  edgectl simulate --devices 100
  edgectl simulate --devices 1000 --fault bad=3% --fault offline=5% \\
      --seconds 600 --json
  edgectl deploy sim-0001 shapes@1.0.0 --pipeline sim --probation-seconds 5

\b
exit codes: 0 stopped, 1 failed, 2 usage, 78 a name or an option must be
changed first
"""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(help=_HELP)(with_broker(simulate))


def simulate(
    *,
    broker: Broker,
    devices: Annotated[int, typer.Option(help="How many.", min=1, max=100_000, metavar="N")],
    folder: Folder = FOLDER,
    prefix: Annotated[str, typer.Option(help="What their names begin with.", metavar="NAME")] = "sim",
    group: Annotated[str, typer.Option(help="A group that they are in.", metavar="NAME")] = "simulated",
    processes: Annotated[int, typer.Option(help="How many processes share them.", min=1, max=64)] = 2,
    seed: Annotated[int, typer.Option(help="Decides which devices have which faults.")] = 1,
    fault: Annotated[
        list[str] | None, typer.Option(help="A fault and its share of the devices.", metavar="NAME=SHARE")
    ] = None,
    bad_model: Annotated[
        list[str] | None, typer.Option(help="Fails its proof on each device.", metavar="MODEL@VERSION")
    ] = None,
    rate: Annotated[float, typer.Option(help="Results a second of each device.", min=0, max=100)] = 1.0,
    batch: Annotated[
        float, typer.Option(help="Seconds that a result may wait until it is sent.", min=0.1, max=3600)
    ] = 5.0,
    vitals: Annotated[
        float, typer.Option(help="Seconds between two vitals of a device; 0: none.", min=0, max=86400)
    ] = 60.0,
    ramp: Annotated[float, typer.Option(help="Devices that join in a second.", min=0.1, max=10_000)] = 100.0,
    seconds: Annotated[float, typer.Option(help="Stop after so long; 0: run on.", min=0)] = 0.0,
    unsigned: Annotated[
        bool, typer.Option("--unsigned", help="The devices neither sign nor check; without models.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a second.")] = False,
) -> None:
    """Simulate."""
    from agent.fleet.simulating.enrolling import groups_with, names
    from agent.fleet.simulating.faults import parse

    fleet = {
        "names": names(prefix, devices),
        "groups": groups_with(group),
        "faults": dict(parse(fault or []).items()),
        "bad": tuple(bad_model or ()),
        "seed": seed,
        "rate": rate,
        "batch_s": batch,
        "vitals_s": vitals,
        "a_second": ramp / processes,
        "signed": not unsigned,
        "managed": not unsigned and (folder / "tuf/meta/1.root.json").exists(),
    }
    _run(broker, folder, fleet, processes=min(processes, devices), seconds=seconds, as_json=as_json)


def _run(
    broker: Broker, folder: Path, fleet: dict[str, Any], *, processes: int, seconds: float, as_json: bool
) -> None:
    from agent.fleet.simulating.enrolling import enrol
    from agent.fleet.simulating.fleet import Fleet
    from agent.fleet.simulating.shown import Teller
    from agent.fleet.simulating.spec import Spec

    table = _mqtt(broker)
    if fleet["signed"]:
        enrol(folder, fleet["names"], fleet["groups"][-1])
    spec = Spec(folder=str(folder.resolve()), work="", broker=table, mine=(), **fleet)
    teller = Teller(as_json=as_json)
    try:
        found = Fleet(spec, processes, teller.tell).run(seconds)
    except OSError as error:
        problem = error.strerror or str(error)
        raise AgentError("simulate", "a fleet", problem, "Simulate fewer devices") from error
    teller.end(found)


def _mqtt(broker: Broker) -> dict[str, object]:
    """Give the devices' ``[mqtt]``.

    Raises:
        ConfigInvalid: the options do not go together.
    """
    link = broker.link("edgectl-simulate")
    names = ("host", "port", "protocol", "username", "password", "tls", "ca_file", "cert_file", "key_file")
    found = {name: getattr(link, name) for name in names}
    files = {name: str(Path(found[name]).resolve()) for name in names[-3:] if found[name]}
    return {**found, **files, "fleet": broker.fleet}
