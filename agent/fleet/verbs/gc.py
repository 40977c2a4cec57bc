"""edgectl gc: what the command line says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.fleet.verbs._broker import Broker, with_broker
from agent.fleet.verbs._options import FOLDER, AsJson, Folder, Local, PassphraseFile

if TYPE_CHECKING:
    import typer

_HELP = """\
Delete what no signed metadata needs any more, at the broker and here.

That is the files of revoked bundles, unless others share them, and old versions of the metadata. All roots
are kept for ever: a device that was away for years climbs them.

\b
examples:
  edgectl gc --host broker.example

\b
exit codes: 0 done, 1 failed, or the broker lacks what was published last, 2
usage, 78 an option or the folder must be seen to first
"""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(help=_HELP)(with_broker(gc))


def gc(
    *,
    folder: Folder = FOLDER,
    local: Local = False,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
    broker: Broker,
) -> None:
    """Delete what is not needed."""
    import orjson

    from agent.fleet.repository import garbage
    from agent.fleet.repository.work import at_work

    with at_work(folder, passphrase_file, None if local else broker, shown=not as_json) as work:
        meta, blobs = garbage.unneeded_meta(work.repository), garbage.unneeded_blobs(work.repository)
        cleared = work.publisher.gc(meta, blobs) if work.publisher else []
        garbage.forget(work.repository, meta, blobs)
    if as_json:
        facts = {"metadata": len(meta), "files": len(blobs), "cleared": len(cleared)}
        print(orjson.dumps(facts).decode())
        return
    where = f"; cleared {len(cleared)} pieces at the broker" if work.publisher else ""
    print(f"deleted {len(meta)} files of metadata and {len(blobs)} of bundles{where}")
