"""The options of edgectl rollout."""

from __future__ import annotations

from typing import Annotated

import typer

Name = Annotated[str, typer.Argument(help="The rollout's name.", metavar="NAME")]
Watch = Annotated[bool, typer.Option("--watch", help="With --json: an object a change, not one at the end.")]
TakeOver = Annotated[
    bool, typer.Option("--take-over", help="Another machine worked on it, and does no longer.")
]
Pipelines = Annotated[str, typer.Option(help="Pipelines that are to run it.", metavar="P[,P]")]
Device = Annotated[list[str] | None, typer.Option(help="This device; may be given again.", metavar="DEVICE")]
Waves = Annotated[str, typer.Option(help="How many have it after each wave.", metavar="N|N%,...")]
Soak = Annotated[str, typer.Option(help="How long each wave is watched.", metavar="TIME")]
MaxFail = Annotated[str, typer.Option(help="Share of a wave's devices that may fail.", metavar="N%")]
MaxSilent = Annotated[
    str, typer.Option(help="Share that may be offline at the deadline; else they failed.", metavar="N%")
]
AbortOn = Annotated[
    list[str] | None,
    typer.Option("--abort", help="Break off where the wave's median does so.", metavar="CONDITION"),
]
Deadline = Annotated[str, typer.Option(help="How long a wave may take to run it.", metavar="TIME")]
OnFail = Annotated[
    str, typer.Option(help="On a broken limit: abort puts back what was, halt waits.", metavar="WHAT")
]
Seed = Annotated[int, typer.Option(help="The same gives the same order.", min=0)]
Strict = Annotated[bool, typer.Option("--strict", help="Refuse where a device cannot take part.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show who would, and when.")]
Called = Annotated[str, typer.Option(help="The rollout's name; else made of the model's.", metavar="NAME")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Work on it; or only plan it, for resume.")]
