"""edge-agent tuf: the client of the update metadata alone, in the words of TUF's conformance suite."""

from __future__ import annotations

import re
import secrets
import sys
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from agent.config import addresses
from agent.errors import EXIT_FAILED, EXIT_OK, Absent, AgentError, ConfigInvalid, FetchFailed, MetadataRefused
from agent.files import write_durably
from agent.wording import plain

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from tuf.api.metadata import TargetFile
    from tuf.ngclient import Updater

    from agent.config.addresses import Address
    from agent.updater.seams import Shelf

HELP = "prove update metadata, and fetch what it vouches for: for conformance suites"
DESCRIPTION = """\
Drives this agent's client of The Update Framework by hand, in the words of the
public suite (https://github.com/theupdateframework/tuf-conformance). It knows
nothing of the agent's data folder.

  init ROOT   starts to trust a root metadata file
  refresh     brings the metadata up to date
  download    does that, and fetches targets"""
EPILOG = """\
examples:
  edge-agent tuf --metadata-dir D init 1.root.json
  edge-agent tuf --metadata-dir D --metadata-url http://mirror/meta refresh
  edge-agent tuf --metadata-dir D \\
      --metadata-url mqtt://broker.example:1883/edge/v1/demo/tuf refresh
  edge-agent tuf --metadata-dir D --metadata-url URL --target-name \\
      fleet/keys.json --target-base-url URL --target-dir T download

exit codes: 0 done, 1 anything else"""

_MOST_ROOT, _MOST_TARGET = 512 << 10, 64 << 20
_MQTT_PORT = 1883
_OURS = re.compile(r"edge/v1/([^/]+)(/tuf)?")

T = TypeVar("T")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--metadata-dir", required=True, metavar="DIR", help="where trusted metadata is kept")
    parser.add_argument(
        "--metadata-url", metavar="URL", help="where it is published: http, https, or mqtt://HOST:PORT/PREFIX"
    )
    parser.add_argument(
        "--target-name", action="append", default=[], metavar="PATH", help="what to fetch; may be repeated"
    )
    parser.add_argument("--target-base-url", metavar="URL", help="where targets are published")
    parser.add_argument("--target-dir", metavar="DIR", help="where to put them")
    parser.add_argument("step", choices=("init", "refresh", "download"))
    parser.add_argument(
        "root", nargs="?", metavar="ROOT", help="for init: the metadata that trust starts from"
    )


def main(arguments: argparse.Namespace) -> int:
    """Do the step; give the exit code: 0, or 1 for whatever went wrong."""
    try:
        _step(arguments)
    except AgentError as error:
        return _failed(error)
    except OSError as error:
        problem, hint = error.strerror or str(error), "Check the path and its permissions"
        return _failed(AgentError("use", str(error.filename or "files"), problem, hint))
    return EXIT_OK


def _failed(error: AgentError) -> int:
    print(f"edge-agent: {plain(str(error), 2000)}", file=sys.stderr)
    return EXIT_FAILED


def _step(arguments: argparse.Namespace) -> None:
    folder = Path(arguments.metadata_dir)
    if arguments.step == "init":
        _init(folder, Path(_given(arguments.root, "ROOT")))
        return
    url = _given(arguments.metadata_url, "--metadata-url")
    if arguments.step == "refresh":
        with _client(folder, url) as updater:
            updater.refresh()
        return
    names = _given(arguments.target_name, "--target-name")
    base = _given(arguments.target_base_url, "--target-base-url")
    into = Path(_given(arguments.target_dir, "--target-dir"))
    into.mkdir(parents=True, exist_ok=True)
    with _client(folder, url) as updater, closing(_opened(base, "--target-base-url")) as source:
        updater.refresh()
        read = _reader(folder, source, by_hash=_is_broker(base))
        for name in names:
            _download(updater, name, read, into)


def _init(folder: Path, root: Path) -> None:
    """Keep the root as it is: the first refresh proves that it is signed."""
    hint = "Give the fleet's first root metadata: tuf/meta/1.root.json of the operator's folder"
    try:
        with root.open("rb") as file:
            data = file.read(_MOST_ROOT + 1)
    except OSError as error:
        raise FetchFailed("read root", str(root), error.strerror or str(error), hint) from error
    if len(data) > _MOST_ROOT:
        raise MetadataRefused(
            "read root", str(root), f"it has more than {_MOST_ROOT >> 10} KiB", "Give another"
        )
    folder.mkdir(parents=True, exist_ok=True)
    write_durably(folder / "root.json", data)


@contextmanager
def _client(folder: Path, url: str) -> Iterator[Updater]:
    """Give python-tuf's client, which asks what lies at ``url``; its errors become ours."""
    from tuf.ngclient import Updater

    from agent.updater.fetcher import ShelfFetcher
    from agent.updater.refusals import explained

    below = "meta/" if _is_broker(url) else ""
    with closing(_opened(url, "--metadata-url")) as shelf:
        fetcher = ShelfFetcher(lambda name, most: shelf.get(below + name, most), limited=False)
        with explained(fetcher):
            yield Updater(str(folder), "", fetcher=fetcher, bootstrap=None)


def _is_broker(url: str) -> bool:
    return addresses.scheme(url) == "mqtt"


def _opened(url: str, option: str) -> Shelf:
    """Open what lies at the address that an option gives; a broker is called when something is asked for.

    Raises:
        AgentError: it is no address that we know.
    """
    from agent.updater.https import Mirror

    address = addresses.given(url, option, broker=True)
    return _broker(address, option) if address.scheme == "mqtt" else Mirror(url, option)


def _broker(address: Address, option: str) -> Shelf:
    from agent.link import topics
    from agent.link.bulk import Bulk
    from agent.link.settings import LinkSettings

    top = address.path.strip("/").removesuffix("/meta")
    if not top or "+" in top:
        hint = "Give mqtt://HOST:PORT/edge/v1/FLEET/tuf"
        raise ConfigInvalid("use", option, "no update repository can lie under this prefix", hint)
    match = _OURS.fullmatch(top)
    fleet = match[1] if match and topics.is_name(match[1]) else "tuf"
    if match and not match[2]:
        top += "/tuf"
    device = f"tuf-{secrets.token_hex(4)}"
    settings = LinkSettings(address.host, address.port or _MQTT_PORT, device)
    return Bulk(settings, fleet, device, top=f"{top}/")


def _download(updater: Updater, name: str, read: Callable[[TargetFile], bytes], into: Path) -> None:
    target = updater.get_targetinfo(name)
    if target is None:
        raise Absent("fetch target", name, "no metadata names it", "Publish it, or look for its name")
    place = into / quote(name, "")
    if updater.find_cached_target(target, str(place)) is None:
        data = read(target)
        target.verify_length_and_hashes(data)
        write_durably(place, data, mode=0o644)


def _reader(folder: Path, source: Shelf, *, by_hash: bool) -> Callable[[TargetFile], bytes]:
    """Give what fetches targets: from a broker by their hash, from a web server by their path."""
    from tuf.api.metadata import Metadata, Root

    from agent.updater import targets
    from agent.updater.metadata import as_target

    if by_hash:
        return lambda target: targets.read(source, as_target(target), _MOST_TARGET)
    prefixed = Metadata[Root].from_file(str(folder / "root.json")).signed.consistent_snapshot

    def read(target: TargetFile) -> bytes:
        above, slash, name = target.path.rpartition("/")
        path = f"{above}{slash}{next(iter(target.hashes.values()))}.{name}" if prefixed else target.path
        return source.get(path, min(target.length, _MOST_TARGET))

    return read


def _given(value: T | None, option: str) -> T:
    if not value:
        raise FetchFailed("read", "options", f"{option} is missing", "See: edge-agent tuf --help")
    return value
