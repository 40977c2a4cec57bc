"""edgectl rotate: what the command line says."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from agent.fleet.verbs._broker import Broker, with_broker
from agent.fleet.verbs._options import FOLDER, AsJson, Folder, Local, PassphraseFile

_HELP = """\
Replace keys, and have all devices learn of it by themselves.

root, online and targets need two of the three root keys in DIR; models and fleet need the key of
targets. fleet replaces the control key, too: desired states that were sent are signed anew, with both keys.
The old keys are deleted here: delete their copies as well.

\b
examples:
  edgectl rotate online --host broker.example
  edgectl rotate root --local

\b
exit codes: 0 done, 1 failed, 2 usage, 78 an option, a key or the folder must
be seen to first
"""


class What(StrEnum):
    """Whose keys."""

    ROOT = "root"
    ONLINE = "online"
    TARGETS = "targets"
    MODELS = "models"
    FLEET = "fleet"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(help=_HELP)(with_broker(rotate))


def rotate(
    what: Annotated[What, typer.Argument(help="Whose keys to replace.", metavar="WHAT")],
    *,
    folder: Folder = FOLDER,
    local: Local = False,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
    broker: Broker,
) -> None:
    """Replace keys."""
    import orjson

    from agent.fleet.repository import desired
    from agent.fleet.repository.work import at_work, told, words

    with at_work(folder, passphrase_file, None if local else broker, shown=not as_json) as work:
        work.repository.rotate(what.value)
        again = desired.seal_again(work.repository) if what is What.FLEET else []
        sent = work.finish()
        if work.wire is not None:
            desired.send(work.wire, broker.fleet, folder, again)
        root = work.repository.roles.version("root")
    if as_json:
        print(orjson.dumps({"rotated": what.value, "root": root, "desired": again, **told(sent)}).decode())
        return
    print(f"rotated {what.value}, root {root}; {words(sent)}")
    if again:
        print(f"signed anew the desired state of {', '.join(again)}")
    if what is What.ROOT:
        print(f"Move {folder}/root-1.key, root-2.key and root-3.key to three media, away from here")
