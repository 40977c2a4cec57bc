"""What edgectl can do, for the operator of a fleet."""

from __future__ import annotations

import typer

from agent.fleet.verbs import collect, deploy, gaps, init, models, pack, quantize, version

_VERBS = (init, pack, quantize, deploy, models, collect, gaps, version)

app = typer.Typer(
    help="Runs the fleet side of edge-agent: makes its keys, and collects what the devices send.",
    epilog="Start with: edgectl init keys --device gate-1",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

for _verb in _VERBS:
    _verb.register(app)
