"""What deploy and configure do alike: send desired states, follow what comes of them, and tell it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from agent.errors import EXIT_FAILED

if TYPE_CHECKING:
    from agent.fleet.deploying.deploy import Options


def carry_out(options: Options, about: str, *, pipeline: str = "", as_json: bool) -> None:
    """Deploy, and show it.

    Args:
        options: what is wanted.
        about: what the devices are on their way to, for who follows.
        pipeline: that of a model; "" where only settings go.
        as_json: tell it to programs.

    Raises:
        Exit: it was waited for, and one of the devices does not have it.
    """
    from agent.fleet.deploying import shown
    from agent.fleet.deploying.deploy import deploy

    with shown.following(about, quiet=as_json or not options.wait) as show:
        done = deploy(options, show)
    one = len(done) == 1 and not options.groups
    if as_json:
        print(shown.as_json(done, pipeline, one=one))
    else:
        print(shown.words(done, pipeline, waited=options.wait))
    if options.wait and not all(each.progress.good for each in done):
        raise typer.Exit(EXIT_FAILED)
