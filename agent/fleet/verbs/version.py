"""edgectl version: what the command line says."""

from __future__ import annotations

from typing import Annotated

import typer

from agent import __version__


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(version)


def version(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="As a JSON object.")] = False,
) -> None:
    """Print the version."""
    print(f'{{"version":"{__version__}"}}' if as_json else f"edgectl {__version__}")
