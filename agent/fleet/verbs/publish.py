"""edgectl publish: what the command line says."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

from agent.fleet.verbs._broker import Broker, with_broker
from agent.fleet.verbs._options import FOLDER, AsJson, Folder, Local, PassphraseFile

_HELP = """\
Sign bundles, and have the broker keep them for all devices.

Refuses what would fail on a device later: a file that is not what the manifest says, a chunk that the broker
would not take, another bundle of the same name and version. What is published already is left alone. Devices
fetch a bundle when it is deployed to them.

\b
examples:
  edgectl publish shapes-1.2.0 --host broker.example
  edgectl publish shapes-1.2.0 doors-2.0 --local

\b
exit codes: 0 done, 1 failed or refused, 2 usage, 78 an option, a key or the
folder must be seen to first
"""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(help=_HELP)(with_broker(publish))


def publish(
    bundles: Annotated[list[Path], typer.Argument(help="Folders that edgectl pack made.", metavar="BUNDLE")],
    *,
    folder: Folder = FOLDER,
    allow_float: Annotated[
        bool, typer.Option("--allow-float", help="Take models that are not quantized.")
    ] = False,
    allow_unproven: Annotated[
        bool, typer.Option("--allow-unproven", help="Take bundles without golden inputs.")
    ] = False,
    local: Local = False,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
    broker: Broker,
) -> None:
    """Publish bundles."""
    import orjson

    from agent.fleet.repository import bundle
    from agent.fleet.repository.work import at_work, told, words

    found = [bundle.read(one, allow_float=allow_float, allow_unproven=allow_unproven) for one in bundles]
    with at_work(folder, passphrase_file, None if local else broker, shown=not as_json) as work:
        new = [one for one in found if bundle.add(work.repository, one)]
        sent = work.finish()
    if as_json:
        rows = [{**one.facts(), "new": one in new} for one in found]
        print(orjson.dumps({"bundles": rows, **told(sent)}).decode())
        return
    for one in found:
        state = "published" if one in new else "was published already:"
        print(f"{state} {one.title}  {one.digest[:12]}  {one.manifest.size:,} bytes in {one.chunks} chunks")
        if one.left_out:
            print(f"  {bundle.left_out_in_words(one)}")
    print(words(sent))
