"""edgectl rollout: what the command line says."""

from __future__ import annotations

import time
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from agent.errors import ConfigInvalid
from agent.fleet.verbs import _rollout as options  # noqa: TC001 - typer reads the annotations
from agent.fleet.verbs._broker import Broker, with_broker
from agent.fleet.verbs._options import (
    FOLDER,
    AsJson,
    Folder,
    Group,
    PassphraseFile,
    ProbationFrames,
    ProbationSeconds,
    UnsignedReports,
)

if TYPE_CHECKING:
    from agent.fleet.rollouts.ground import Place
    from agent.fleet.rollouts.record import Rollout

_HELP = """\
Bring a published model to many devices, wave after wave, and stop where it does harm.

\b
examples:
  edgectl rollout start shapes@1.1.0 --pipelines door --group gates
  edgectl rollout status --watch

\b
exit codes of start, resume, pause, abort and status --watch: 0 completed, or
what was asked is done, 1 failed, 2 usage, 3 halted: a limit is broken, and a
person must look, 4 aborted: what was is put back, 5 paused, 78 a name, a key
or an option must be changed first
"""
_START = """\
Plan a rollout and work on it until it is over.

Devices that cannot hold the model by what they report are left out, and named. The first wave is taken among
devices that are online now. A wave is over when each of its devices runs the model, its probation passed, and
--soak has passed since without a broken limit. What is known stands in DIR/rollouts/NAME.json, before
anything is published: when this ends, whatever ends it, edgectl rollout resume goes on.

\b
examples:
  edgectl rollout start shapes@1.1.0 --pipelines door --group gates --dry-run
  edgectl rollout start shapes@1.1.0 --pipelines door --group gates \\
      --waves 1,10%,50%,100% --soak 2h --max-fail 2% --abort 'p95 > 1.3x'
"""

app = typer.Typer(help=_HELP, no_args_is_help=True, rich_markup_mode=None, add_completion=False)

_NONE = "no rollout is there; see: edgectl rollout start --help"
_LOOK_S = 0.5


def register(above: typer.Typer) -> None:
    """Add the verbs."""
    app.command(help=_START)(with_broker(start))
    app.command(help="Go on with a rollout that rests, or whose controller is gone.")(with_broker(resume))
    app.command(help="Have a rollout publish nothing further; what is published stays.")(pause)
    app.command(help="Put back what was, on each device that has the model already.")(with_broker(abort))
    app.command(help="Show a rollout, by its file.")(status)
    app.command("list", help="List all rollouts.")(listed)
    above.add_typer(app, name="rollout")


def start(
    model: Annotated[str, typer.Argument(help="The model.", metavar="MODEL@VERSION")],
    *,
    broker: Broker,
    pipelines: options.Pipelines,
    group: Group = None,
    device: options.Device = None,
    waves: options.Waves = "1,10%,50%,100%",
    soak: options.Soak = "1h",
    max_fail: options.MaxFail = "2%",
    max_silent: options.MaxSilent = "",
    abort_on: options.AbortOn = None,
    deadline: options.Deadline = "6h",
    on_fail: options.OnFail = "abort",
    probation_frames: ProbationFrames = None,
    probation_seconds: ProbationSeconds = None,
    seed: options.Seed = 0,
    strict: options.Strict = False,
    dry_run: options.DryRun = False,
    name: options.Called = "",
    wait: options.Wait = True,
    watch: options.Watch = False,
    unsigned: UnsignedReports = False,
    folder: Folder = FOLDER,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Start."""
    from agent.fleet.rollouts import shown, wanted, work
    from agent.fleet.rollouts.shelf import Shelf

    told = wanted.Told(
        model=model,
        fleet=broker.fleet,
        pipelines=pipelines,
        waves=waves,
        soak=soak,
        deadline=deadline,
        max_fail=max_fail,
        max_silent=max_silent,
        conditions=abort_on or (),
        on_fail=on_fail,
        seed=seed,
        name=name,
        frames=probation_frames,
        seconds=probation_seconds,
    )
    plan = wanted.plan(told, Shelf(folder).names())
    if not (group or device):
        raise ConfigInvalid("start rollout", plan.name, "no devices are named", "Add --group or --device")
    place = _place(folder, broker, passphrase_file, unsigned=unsigned)
    found = work.plan(place, plan, device or [], group or [], strict=strict, dry=dry_run)
    if dry_run or not wait:
        print(shown.as_json(found) if as_json else shown.words(found))
        return
    for one, why in found.left_out.items():
        typer.echo(f"left out: {one}: {why}", err=True)
    _run(place, plan.name, as_json=as_json, watch=watch)


def resume(
    name: options.Name,
    *,
    broker: Broker,
    take_over: options.TakeOver = False,
    watch: options.Watch = False,
    unsigned: UnsignedReports = False,
    folder: Folder = FOLDER,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Resume."""
    place = _place(folder, broker, passphrase_file, unsigned=unsigned)
    _run(place, name, as_json=as_json, watch=watch, take_over=take_over)


def pause(
    name: options.Name,
    *,
    take_over: options.TakeOver = False,
    folder: Folder = FOLDER,
    as_json: AsJson = False,
) -> None:
    """Pause."""
    from agent.fleet.rollouts import work

    def alone() -> Rollout:
        return work.pause(folder, name, take_over=take_over)

    _end(alone() if take_over else work.ask(folder, name, "pause", alone), as_json=as_json, asked="paused")


def abort(
    name: options.Name,
    *,
    broker: Broker,
    take_over: options.TakeOver = False,
    unsigned: UnsignedReports = False,
    folder: Folder = FOLDER,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Abort."""
    from agent.fleet.rollouts import shown, work

    place = _place(folder, broker, passphrase_file, unsigned=unsigned)
    with shown.following(name, json_lines=False, quiet=as_json) as show:

        def alone() -> Rollout:
            return work.run(place, name, show, want="abort", take_over=take_over)

        done = alone() if take_over else work.ask(folder, name, "abort", alone, show)
    _end(done, as_json=as_json, asked="aborted")


def status(
    name: Annotated[
        str, typer.Argument(help="The rollout's; else all that are not over.", metavar="[NAME]")
    ] = "",
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Until it is over, or rests.")] = False,
    folder: Folder = FOLDER,
    as_json: AsJson = False,
) -> None:
    """Show where it stands."""
    from agent.fleet.rollouts import shown
    from agent.fleet.rollouts.shelf import Shelf
    from agent.fleet.rollouts.table import OVER, RESTING

    shelf = Shelf(folder)
    if not name:
        if watch:
            raise ConfigInvalid("watch", "rollout", "none is named", "Add its NAME: edgectl rollout list")
        found = [one for one in map(shelf.read, shelf.names()) if one.state not in OVER]
        over = "no rollout is under way; those that are over: edgectl rollout list"
        _print_all(found, over if shelf.names() else _NONE, as_json=as_json)
        return
    rollout = shelf.read(name)
    if not watch:
        print(shown.as_json(rollout) if as_json else shown.words(rollout))
        return
    with shown.following(name, json_lines=as_json, quiet=False) as show:
        show(rollout)
        while rollout.state not in OVER | RESTING:
            time.sleep(_LOOK_S)
            rollout = shelf.read(name)
            show(rollout)
    _end(rollout, as_json=as_json, told=as_json)


def listed(*, folder: Folder = FOLDER, as_json: AsJson = False) -> None:
    """List."""
    from agent.fleet.rollouts.shelf import Shelf

    shelf = Shelf(folder)
    _print_all([shelf.read(one) for one in shelf.names()], _NONE, as_json=as_json)


def _run(place: Place, name: str, *, as_json: bool, watch: bool, take_over: bool = False) -> None:
    from agent.fleet.rollouts import shown, work

    lines = as_json and watch
    with shown.following(name, json_lines=lines, quiet=as_json) as show:
        done = work.run(place, name, show, take_over=take_over)
    _end(done, as_json=as_json)


def _end(done: Rollout, *, as_json: bool, asked: str = "", told: bool = False) -> None:
    """Say how it ended, and end with its code; what was asked for is no failure."""
    from agent.fleet.rollouts import shown
    from agent.fleet.rollouts.table import EXITS

    if not told:
        print(shown.as_json(done) if as_json else shown.words(done))
    if code := 0 if done.state == asked else EXITS.get(done.state, 0):
        raise typer.Exit(code)


def _print_all(found: list[Rollout], none: str, *, as_json: bool) -> None:
    import orjson

    from agent.fleet.rollouts import shown

    if as_json:
        print(orjson.dumps({"rollouts": [shown.row(one) for one in found]}).decode())
        return
    for one in found:
        print(f"{one.plan.name}  {one.plan.model}  {shown.line(one)}")
    if not found:
        print(none)


def _place(folder: Path, broker: Broker, file: Path | None, *, unsigned: bool) -> Place:
    from agent.fleet.repository.passphrase import passphrase
    from agent.fleet.rollouts.ground import Place

    link = broker.link("edgectl-rollout")
    return Place(folder, broker.fleet, link, lambda: passphrase(file), unsigned=unsigned)
