"""edgectl mirror: what the command line says."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

from agent.fleet.verbs._options import FOLDER, AsJson, Folder, PassphraseFile
from agent.wording import plain

_HELP = """\
Write what is published as files, for any web server.

For brokers that cannot hold models: devices that name the address as models.mirror read the same tree there.
Run it again after each change: only what is new is written, and the timestamp last.

\b
examples:
  edgectl mirror /srv/www/edge

\b
exit codes: 0 done, 1 failed, 2 usage, 78 the folder must be seen to first
"""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(help=_HELP)(mirror)


def mirror(
    to: Annotated[Path, typer.Argument(help="The mirror's folder.", metavar="DIR")],
    *,
    folder: Folder = FOLDER,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Write a mirror."""
    import orjson

    from agent.fleet.progress import bar
    from agent.fleet.repository.catalog import blobs, metadata
    from agent.fleet.repository.mirror import refresh
    from agent.fleet.repository.work import at_work

    with at_work(folder, passphrase_file, None, shown=not as_json) as work:
        work.repository.commit()  # what a kill has left unsigned
        size = sum(piece.size for piece in (*blobs(work.repository), *metadata(work.repository)))
        with bar("writing", size, shown=not as_json) as step:
            written, gone = refresh(work.repository, to, step)
    if as_json:
        print(orjson.dumps({"folder": str(to), "written": written, "deleted": gone, "bytes": size}).decode())
    else:
        print(f"wrote {written} files to {plain(to, 4096)}, deleted {gone}; {size:,} bytes in all")
