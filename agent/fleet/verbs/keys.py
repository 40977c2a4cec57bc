"""edgectl keys: what the command line says."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

from agent.fleet.verbs._broker import Broker, with_broker
from agent.fleet.verbs._options import FOLDER, AsJson, Folder, Local, PassphraseFile

_HELP = """\
Say whose word devices take, and for what: the control keys of the fleet.

\b
examples:
  edgectl keys list
  edgectl keys add mary --scope command.snapshot

\b
exit codes: 0 done, 1 failed, 2 usage, 78 an option, a key or the folder must
be seen to first
"""
_ADD = """\
Make a control key for a colleague, for some commands only.

The key and what else they need lie in DIR/colleagues/NAME then: give them that folder, and delete it here.
They work with edgectl command --dir FOLDER. For a colleague who has one already it changes the scopes.

\b
examples:
  edgectl keys add mary --scope command.snapshot --scope command.diagnostics
  edgectl keys add mary --scope command --their-passphrase-file secret
"""

app = typer.Typer(help=_HELP, no_args_is_help=True, rich_markup_mode=None, add_completion=False)


def register(above: typer.Typer) -> None:
    """Add the verbs."""
    app.command("list", help="Show whose word devices take, and for what.")(listed)
    app.command(help=_ADD)(with_broker(add))
    app.command(help="Have devices take a key's word no more.")(with_broker(remove))
    above.add_typer(app, name="keys")


def listed(*, folder: Folder = FOLDER, as_json: AsJson = False) -> None:
    """Show the keys."""
    import orjson

    from agent.fleet.columns import columns
    from agent.fleet.repository import control
    from agent.fleet.repository.repository import opened

    with opened(folder, str) as repository:
        found = control.known(repository)
    if as_json:
        facts = [{"name": one.name, "id": one.key_id, "scopes": one.scopes} for one in found]
        print(orjson.dumps({"keys": facts}).decode())
        return
    rows = [(one.name or "-", one.key_id, ", ".join(one.scopes)) for one in found]
    print("\n".join(columns([("NAME", "ID", "SCOPES"), *rows])))


def add(
    name: Annotated[str, typer.Argument(help="The colleague's name.", metavar="NAME")],
    *,
    broker: Broker,
    scope: Annotated[
        list[str],
        typer.Option(help="desired, command, or command.OP; may be given again.", metavar="SCOPE"),
    ],
    their_passphrase_file: Annotated[
        Path | None, typer.Option(help="Where the passphrase of their key stands.", metavar="FILE")
    ] = None,
    folder: Folder = FOLDER,
    local: Local = False,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Add a key."""
    import orjson

    from agent.fleet.repository import control
    from agent.fleet.repository.passphrase import of_colleague
    from agent.fleet.repository.work import at_work, told, words

    with at_work(folder, passphrase_file, None if local else broker, shown=not as_json) as work:
        place = control.add(work.repository, name, scope, lambda: of_colleague(their_passphrase_file))
        sent = work.finish()
    if as_json:
        print(orjson.dumps({"name": name, "folder": str(place), **told(sent)}).decode())
        return
    print(f"added {name}; {words(sent)}")
    print(f"Give {name} the folder {place}, and delete it here; the passphrase goes another way")


def remove(
    name: Annotated[str, typer.Argument(help="The colleague's name, or the key's id.", metavar="NAME")],
    *,
    broker: Broker,
    folder: Folder = FOLDER,
    local: Local = False,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Remove a key."""
    import orjson

    from agent.fleet.repository import control
    from agent.fleet.repository.work import at_work, told, words

    with at_work(folder, passphrase_file, None if local else broker, shown=not as_json) as work:
        gone = control.remove(work.repository, name)
        sent = work.finish()
        control.forget(folder, gone.name)
    if as_json:
        print(orjson.dumps({"name": gone.name, "id": gone.key_id, **told(sent)}).decode())
        return
    print(f"removed {gone.name or gone.key_id}; {words(sent)}")
