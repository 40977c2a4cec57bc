"""edgectl revoke: what the command line says."""

from __future__ import annotations

from typing import Annotated

import typer

from agent.fleet.verbs._broker import Broker, with_broker
from agent.fleet.verbs._options import FOLDER, AsJson, Folder, Local, PassphraseFile

_HELP = """\
Vouch for bundles no longer: no device takes them any more.

A device that runs one goes on with it until another is deployed to it, and cannot fetch it again: which were
told to run it is printed. The files stay where they are until edgectl gc.

\b
examples:
  edgectl revoke shapes@1.2.0 --host broker.example

\b
exit codes: 0 done, 1 failed, 2 usage, 78 it is not published, or an option,
a key or the folder must be seen to first
"""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(help=_HELP)(with_broker(revoke))


def revoke(
    bundles: Annotated[list[str], typer.Argument(help="What to revoke.", metavar="NAME@VERSION")],
    *,
    folder: Folder = FOLDER,
    local: Local = False,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
    broker: Broker,
) -> None:
    """Revoke bundles."""
    import orjson

    from agent.fleet.repository import desired
    from agent.fleet.repository.bundle import split
    from agent.fleet.repository.work import at_work, told, words

    titles = [split(one) for one in bundles]
    with at_work(folder, passphrase_file, None if local else broker, shown=not as_json) as work:
        for name, version in titles:
            work.repository.remove_bundle(name, version)
        sent = work.finish()
    wanted_by = {one: desired.wanting(folder, one) for one in bundles}
    if as_json:
        print(orjson.dumps({"revoked": bundles, "wanted_by": wanted_by, **told(sent)}).decode())
        return
    print(f"revoked {', '.join(bundles)}; {words(sent)}")
    for one, devices in wanted_by.items():
        if devices:
            print(f"  {', '.join(devices)} shall run {one}: deploy another with edgectl deploy")
