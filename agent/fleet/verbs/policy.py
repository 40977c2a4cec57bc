"""edgectl policy: what the command line says."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

from agent.fleet.verbs._broker import Broker, with_broker
from agent.fleet.verbs._options import FOLDER, AsJson, Folder, Local, PassphraseFile

_HELP = """\
Say which models the fleet's devices may run; or show what was said.

FILE is JSON: names (shell patterns), licenses, min_versions, quantized_only, delegates; what it leaves out
is allowed. Without --set and --remove it shows the policy that is signed.

\b
examples:
  edgectl policy
  echo '{"names": ["shapes*"], "quantized_only": true}' >policy.json
  edgectl policy --set policy.json --host broker.example

\b
exit codes: 0 done, 1 failed, or the file is no policy, 2 usage, 78 an option,
a key or the folder must be seen to first
"""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(help=_HELP)(with_broker(policy))


def policy(
    *,
    folder: Folder = FOLDER,
    file: Annotated[Path | None, typer.Option("--set", help="Publish this policy.", metavar="FILE")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Allow all models again.")] = False,
    local: Local = False,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
    broker: Broker,
) -> None:
    """Set or show the policy."""
    import orjson

    from agent.errors import ConfigInvalid
    from agent.fleet.repository import documents
    from agent.fleet.repository.roles import POLICY
    from agent.fleet.repository.work import at_work, told, words

    if file and remove:
        raise ConfigInvalid("set", "policy", "--set and --remove exclude each other", "Leave one of both out")
    content = documents.read_policy(file) if file else None
    changes = bool(file) or remove
    with at_work(folder, passphrase_file, broker if changes and not local else None, shown=False) as work:
        if not changes:
            found = work.repository.document(POLICY)
            shown = "null" if as_json else "no policy: all models are allowed"
            print(found.decode() if found else shown)
            return
        refused = documents.refused(work.repository, content)
        work.repository.set_document(POLICY, content)
        sent = work.finish()
    if as_json:
        print(orjson.dumps({"policy": bool(content), "refused": refused, **told(sent)}).decode())
        return
    print(f"{'set' if content else 'removed'} the policy; {words(sent)}")
    for line in refused:
        print(f"  published, and refused by it: {line}")
