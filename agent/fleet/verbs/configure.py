"""edgectl configure: what the command line says."""

from __future__ import annotations

from typing import Annotated

import typer

from agent.errors import ConfigInvalid
from agent.fleet.verbs._broker import Broker, with_broker
from agent.fleet.verbs._deploying import carry_out
from agent.fleet.verbs._options import (
    FOLDER,
    AsJson,
    Await,
    AwaitAtMost,
    Folder,
    Group,
    Overdue,
    PassphraseFile,
    UnsignedReports,
)

_HELP = """\
Set settings of devices over those of their files, and say when they may be disturbed.

Signs each device's next desired state and leaves it on the broker; its models, and the settings that are not
named, stay as they were. A device tries settings before it keeps them, and goes back where they do harm.

\b
examples:
  edgectl configure gate-1 --set pipelines.door.max_rate=5 --wait
  edgectl configure --group gates --unset pipelines.door.max_rate
  edgectl configure --group gates \\
      --maintenance 'sat,sun 02:00-04:00 Europe/Berlin'

\b
exit codes: 0 sent; with --wait: they hold everywhere, 1 failed; with --wait:
they do not hold on one of them, 2 usage, 78 a name, a key or an option must
be changed first
"""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(help=_HELP)(with_broker(configure))


_Set = Annotated[
    list[str] | None, typer.Option("--set", help="A setting; may be given again.", metavar="KEY=VALUE")
]
_Unset = Annotated[
    list[str] | None, typer.Option(help="Take a setting away; may be given again.", metavar="KEY")
]
_Maintenance = Annotated[
    list[str] | None,
    typer.Option(help="When what disturbs may be done; may be given again.", metavar="WINDOW"),
]
_AnyTime = Annotated[bool, typer.Option("--no-maintenance", help="It may be done at any time.")]


def configure(
    devices: Annotated[list[str] | None, typer.Argument(help="The devices' names.", metavar="DEVICE")] = None,
    *,
    broker: Broker,
    group: Group = None,
    settings: _Set = None,
    unset: _Unset = None,
    maintenance: _Maintenance = None,
    any_time: _AnyTime = False,
    deadline: Overdue = None,
    folder: Folder = FOLDER,
    passphrase_file: PassphraseFile = None,
    unsigned: UnsignedReports = False,
    wait: Await = False,
    timeout: AwaitAtMost = 3600.0,
    as_json: AsJson = False,
) -> None:
    """Set settings."""
    from agent.fleet.deploying import words
    from agent.fleet.deploying.deploy import Options
    from agent.fleet.deploying.wishes import Change
    from agent.fleet.repository.work import asker

    if not (settings or unset or maintenance or any_time or deadline):
        raise ConfigInvalid("configure", "devices", "nothing is to change", "Give --set, or see --help")
    if maintenance and any_time:
        problem = "--maintenance and --no-maintenance exclude each other"
        raise ConfigInvalid("configure", "devices", problem, "Leave one of both out")
    change = Change(
        deadline_s=deadline,
        overrides=words.settings(settings or []),
        unset=[words.checked(key) for key in unset or []],
        maintenance=words.maintenance(maintenance or []),
        any_time=any_time,
    )
    options = Options(
        folder=folder,
        fleet=broker.fleet,
        devices=devices or [],
        groups=group or [],
        change=change,
        settings=broker.link("edgectl-configure"),
        passphrase=asker(passphrase_file),
        unsigned=unsigned,
        wait=wait,
        timeout_s=timeout,
    )
    carry_out(options, "settings", as_json=as_json)
