"""edgectl deploy: what the command line says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

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
    ProbationFrames,
    ProbationSeconds,
    UnsignedReports,
)

if TYPE_CHECKING:
    from agent.documents.desired import Wanted

_HELP = """\
Have devices run a published model in one of their pipelines.

Signs each device's next desired state and leaves it on the broker, where the device finds it whenever it is
there; its other pipelines keep what they have. With --wait it tells how far the devices are, until the model
serves, or a device has refused it or gone back to the one before. It goes to all at once: edgectl rollout
goes in waves.

\b
examples:
  edgectl deploy gate-1 shapes@1.1.0 --pipeline door --wait
  edgectl deploy shapes@1.1.0 --pipeline door --group gates --wait
  edgectl deploy gate-1 shapes@1.1.0 --pipeline door --host broker.example \\
      --probation-frames 5000 --probation-seconds 3600

\b
exit codes: 0 sent; with --wait: it serves everywhere, 1 failed; with --wait:
it does not serve on one of them, 2 usage, 78 a name, a key or an option must
be changed first
"""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(help=_HELP)(with_broker(deploy))


def deploy(
    *,
    devices: Annotated[list[str] | None, typer.Argument(help="The devices' names.", metavar="DEVICE")] = None,
    model: Annotated[str, typer.Argument(help="The model.", metavar="MODEL@VERSION")],
    broker: Broker,
    group: Group = None,
    pipeline: Annotated[str, typer.Option(help="Which of the device's pipelines.", metavar="NAME")],
    folder: Folder = FOLDER,
    passphrase_file: PassphraseFile = None,
    probation_frames: ProbationFrames = None,
    probation_seconds: ProbationSeconds = None,
    deadline: Overdue = None,
    unsigned: UnsignedReports = False,
    wait: Await = False,
    timeout: AwaitAtMost = 3600.0,
    as_json: AsJson = False,
) -> None:
    """Deploy."""
    from agent.fleet.deploying.deploy import Options
    from agent.fleet.deploying.wishes import Change
    from agent.fleet.repository.work import asker

    change = Change(pipeline, _wanted(model), probation_frames, probation_seconds, deadline)
    options = Options(
        folder=folder,
        fleet=broker.fleet,
        devices=devices or [],
        groups=group or [],
        change=change,
        settings=broker.link("edgectl-deploy"),
        passphrase=asker(passphrase_file),
        unsigned=unsigned,
        wait=wait,
        timeout_s=timeout,
    )
    carry_out(options, pipeline, pipeline=pipeline, as_json=as_json)


def _wanted(text: str) -> Wanted:
    from pydantic import ValidationError

    from agent.documents.desired import Wanted

    name, _, version = text.partition("@")
    try:
        return Wanted(name=name, version=version)
    except ValidationError as error:
        hint = "Write MODEL@VERSION, such as shapes@1.1.0"
        raise ConfigInvalid("deploy", repr(text), "it names no model and version", hint) from error
