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
