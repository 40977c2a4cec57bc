"""edge-agent sources: what is plugged in, as lines for the configuration; or which kinds there are."""

from __future__ import annotations

import argparse
import json
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent import plugins
from agent.errors import EXIT_OK
from agent.sources.finding.finders import find
from agent.wording import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from agent.types import Found

HELP = "list what is plugged in, with the lines that configure it"
DESCRIPTION = """\
Looks for cameras, sensors, serial ports, sound cards and buses, and prints a pipeline for each: TOML, with
what is known of the device as comments. What cannot be used now is a comment as a whole, with the reason and
the next thing to do. Keys that are only a beginning are named. Nothing is opened, but cameras are asked."""
EPILOG = """\
examples:
  edge-agent sources
  edge-agent sources >> agent.toml       then choose models, and check
  edge-agent sources --json | jq .sources[0].options
  edge-agent sources --kinds             every kind of source there is

exit codes: 0 whatever was found, 2 usage"""

_DISTRIBUTION = "edge-inference-agent"
_EXTRA = re.compile(r"^([A-Za-z0-9._-]+).*;.*\bextra\s*==\s*['\"]([\w-]+)['\"]")
_PICTURES = frozenset(("camera", "rpicam"))
_NOTHING = """\
# Nothing was found that can be used now. This camera is drawn, and needs no hardware:

[[pipelines]]
name = "camera"
model = "shapes"
source = { kind = "synthetic", scene = "shapes" }"""

_SAMPLES = """\
model = "model.tflite"    # yours, for windows as this source gives them
task = "anomaly"
decoder = { threshold = 0.02 }    # yours: the error from which on a window is an anomaly"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--kinds", action="store_true", help="list the kinds of source in place of devices")
    parser.add_argument(
        "--root", type=_folder, default=Path("/"), metavar="DIR", help="look below a folder in place of /"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text!a} is no folder")
    return Path(text)


def main(arguments: argparse.Namespace) -> int:
    """Look and print; give the exit code."""
    if arguments.kinds:
        _print_kinds(list(kinds()), as_json=arguments.json)
        return EXIT_OK
    named = list(_named(find(arguments.root)))
    if arguments.json:
        told = [{"kind": kind, **_facts(one), "toml": block(name, kind, one)} for name, kind, one in named]
        print(json.dumps({"sources": told}))
    else:
        blocks = [_shown(name, kind, one) for name, kind, one in named]
        if all(one.problem for _, _, one in named):
            blocks.append(_NOTHING)
        print("\n\n".join(blocks))
    return EXIT_OK


def kinds() -> Iterator[dict[str, Any]]:
    """Give each kind of source, what it is, and which extra it needs, if any."""
    needed = extras()
    for kind in plugins.names("sources"):
        module = plugins.load("sources", kind)
        about = (module.__doc__ or "").strip().partition("\n")[0].replace("`", "")
        packages = needed.get(kind, [])
        missing = [name for name in packages if not any(metadata.distributions(name=name))]
        yield {
            "kind": kind,
            "about": about,
            "extra": kind if packages else "",
            "missing": missing,
        }


def extras() -> dict[str, list[str]]:
    """Give the packages of each extra; one that a source needs has the name of its kind."""
    found: dict[str, list[str]] = {}
    try:
        wanted = metadata.requires(_DISTRIBUTION) or []
    except metadata.PackageNotFoundError:  # it runs from a folder that was never installed
        return found
    for one in wanted:
        if match := _EXTRA.match(one):
            found.setdefault(match[2], []).append(match[1])
    return found


def block(name: str, kind: str, found: Found) -> str:
    """Give the lines of a pipeline that reads a device."""
    source = inline({"kind": kind, **found.options})
    model = 'model = "shapes"' if kind in _PICTURES else _SAMPLES
    return f'[[pipelines]]\nname = "{name}"\n{model}\nsource = {source}'


def inline(table: Mapping[str, Any]) -> str:
    """Give a table of TOML in one line."""
    return f"{{ {', '.join(f'{key} = {_value(value)}' for key, value in table.items())} }}"


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return inline(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value)  # texts and numbers of JSON are of TOML, too


def _named(found: Iterable[tuple[str, Found]]) -> Iterator[tuple[str, str, Found]]:
    """Give each device a pipeline's name of its own: its kind's, with a number where there are several."""
    devices = list(found)
    kinds_ = [kind for kind, _ in devices]
    for at, (kind, one) in enumerate(devices):
        number = kinds_[: at + 1].count(kind)
        yield f"{kind}{number}" if kinds_.count(kind) > 1 else kind, kind, one


def _shown(name: str, kind: str, found: Found) -> str:
    """Give a device as TOML, with comments; as a comment alone where it cannot be used."""
    lines = [f"# {kind}: {plain(found.name, 200)}", *(f"#   {plain(one, 200)}" for one in found.about)]
    if found.guessed:
        lines.append(f"# Only a beginning, set them for what is connected: {', '.join(found.guessed)}")
    whole = block(name, kind, found).splitlines()
    if found.problem:
        reason = f"{found.problem}. {found.hint}" if found.hint else f"{found.problem}."
        lines.append(f"# It cannot be used now: {plain(reason, 400)}")
        whole = [f"#{line}" for line in whole]
    return "\n".join([*lines, *whole])


def _facts(found: Found) -> dict[str, Any]:
    return {
        "name": found.name,
        "options": dict(found.options),
        "guessed": list(found.guessed),
        "about": list(found.about),
        "problem": found.problem,
        "hint": found.hint,
    }


def _print_kinds(found: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"kinds": found}))
        return
    for one in found:
        how = f"[{one['extra']}] {'missing' if one['missing'] else 'installed'}" if one["extra"] else ""
        print(f"{one['kind']:<18}{how:<20}{one['about']}")
    if any(one["missing"] for one in found):
        print(f"\nInstall an extra: pip install '{_DISTRIBUTION}[NAME]'", file=sys.stderr)
