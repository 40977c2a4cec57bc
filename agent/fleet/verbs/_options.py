"""Options that several verbs have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

FOLDER = Path("keys")
"""The operator's folder where none is named: what the documentation calls it."""

Folder = Annotated[
    Path, typer.Option("--dir", help="The operator's folder, which edgectl init made.", metavar="DIR")
]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(help="Read the passphrase from here; else $EDGECTL_PASSPHRASE.", metavar="FILE"),
]
Group = Annotated[
    list[str] | None, typer.Option(help="The devices of this group; may be given again.", metavar="GROUP")
]
AsJson = Annotated[bool, typer.Option("--json", help="As a JSON object.")]
Local = Annotated[bool, typer.Option("--local", help="Only sign; edgectl heal sends it later.")]
UnsignedReports = Annotated[
    bool, typer.Option("--unsigned", help="Believe devices' reports without their signatures.")
]
ProbationFrames = Annotated[
    int | None, typer.Option(help="Good frames until it is trusted.", min=1, max=1_000_000, metavar="N")
]
ProbationSeconds = Annotated[
    float | None, typer.Option(help="Seconds of service until then.", min=0, max=7 * 86400, metavar="S")
]
Overdue = Annotated[
    float | None,
    typer.Option(help="Seconds after which it is reported as late.", min=1, max=365 * 86400, metavar="S"),
]
Await = Annotated[bool, typer.Option("--wait", help="Wait for what comes of it.")]
AwaitAtMost = Annotated[
    float, typer.Option(help="Wait at most so many seconds.", min=1, max=30 * 86400, metavar="S")
]
