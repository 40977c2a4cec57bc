"""What edgectl can do, for the operator of a fleet."""

from __future__ import annotations

import typer

from agent.fleet.verbs import (
    collect,
    command,
    configure,
    deploy,
    disenroll,
    enroll,
    gaps,
    gc,
    heal,
    init,
    keys,
    logs,
    mirror,
    models,
    pack,
    policy,
    publish,
    quantize,
    renew,
    resign,
    revoke,
    rollout,
    rotate,
    simulate,
    status,
    verify,
    version,
)

_VERBS = (
    init,
    enroll,
    renew,
    disenroll,
    pack,
    quantize,
    publish,
    deploy,
    configure,
    command,
    status,
    logs,
    rollout,
    models,
    revoke,
    policy,
    resign,
    heal,
    verify,
    mirror,
    gc,
    rotate,
    keys,
    collect,
    gaps,
    simulate,
    version,
)

app = typer.Typer(
    help="Runs the fleet side of edge-agent: its keys, what devices send, and the models they run.",
    epilog="Start with: edgectl init keys --device gate-1",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

for _verb in _VERBS:
    _verb.register(app)
