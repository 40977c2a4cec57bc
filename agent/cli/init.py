"""edge-agent init: look at what is plugged in, and write a first configuration."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from agent import resources
from agent.cli.schema import schema
from agent.cli.settings import host_name
from agent.cli.starter import Found, compose
from agent.cli.version import versions
from agent.config import settings as config
from agent.errors import EXIT_OK, AgentError
from agent.probing.recognition import recognise
from agent.sources.v4l2.devices import cameras, told

if TYPE_CHECKING:
    import argparse

HELP = "look at this machine and write a first configuration"
DESCRIPTION = """\
Looks for cameras, the board, the runtime and the bundled models, and writes a configuration with comments
that teach: a pipeline for each camera, or the synthetic camera where there is none. Its JSON Schema is
written beside it, for editors. What it writes passes `check` as it is."""
EPILOG = """\
examples:
  edge-agent init
  edge-agent init --broker broker.example --id gate-1   # keys: from keys/
  edge-agent init --output /etc/edge-agent/agent.toml --broker broker.example

exit codes: 0 written, 1 the file is there already or cannot be written, 2 usage"""

_OP = "write configuration"
_KEYS = "keys"
"""The folder of keys that is looked for beside the configuration: what the documentation calls it."""
_ROOT = "tuf/meta/1.root.json"
"""What trust in models starts from, in that folder."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--output",
        "-o",
        type=Path,
        default=Path("agent.toml"),
        metavar="FILE",
        help="default agent.toml, here",
    )
    parser.add_argument("--force", action="store_true", help="replace the file if it is there")
    parser.add_argument("--broker", default="", metavar="HOST", help="the MQTT broker that results go to")
    parser.add_argument(
        "--id",
        default="",
        metavar="NAME",
        help="the device's name, unique in its fleet and that of its key; default: this machine's",
    )
    parser.add_argument("--model", default="shapes", help="a bundled model, a bundle or a .tflite file")
    parser.add_argument("--json", action="store_true", help="print what was found as one JSON object")


def main(arguments: argparse.Namespace) -> int:
    """Look, write and print; give the exit code."""
    output: Path = arguments.output
    name = str(output)
    if not output.name or not name.isprintable():  # a folder, or what neither TOML nor a line can hold
        raise AgentError(_OP, ascii(name), "no file can be so called", "Name a file, such as agent.toml")
    beside = output.with_name(f"{output.stem}.schema.json")
    for path in (output, beside):
        if not arguments.force and _there(path):
            raise _taken(path)
    found = look(_model(arguments.model), arguments.broker, beside, arguments.id)
    text = compose(found)
    config.parse(text, str(output))  # a name from outside may be no fit one
    write(output, text, replace=arguments.force)
    write(beside, json.dumps(schema(), indent=2) + "\n", replace=arguments.force)
    following = [f"edge-agent {verb} --config {output}" for verb in ("check", "run")]
    if found.broker:
        trust = f"--keys {output.with_name(_KEYS)}" if found.keys else "--unsigned"
        following.append(f"edgectl collect {trust} --host {found.broker}")
    if arguments.json:
        print(json.dumps({**_facts(found), "written": [str(output), str(beside)], "next": following}))
    else:
        _print(found, output, beside, following)
    return EXIT_OK


def look(model: str, broker: str, schema_file: Path, device: str = "") -> Found:
    """Find out what there is; ``device`` is its name, this machine's where it is empty."""
    device = device or host_name()
    has_keys = _has_keys(schema_file.with_name(_KEYS), device)
    installed = versions()
    runtimes = [name for name in ("ai-edge-litert", "tflite-runtime") if name in installed]
    return Found(
        device=device,
        board=recognise(),
        runtime=f"{runtimes[0]} {installed[runtimes[0]]}" if runtimes else "",
        cameras=tuple(cameras()),
        model=model,
        broker=broker,
        keys=_KEYS if has_keys else "",
        schema=schema_file.name,
        root=f"{_KEYS}/{_ROOT}"
        if has_keys and schema_file.with_name(_KEYS).joinpath(_ROOT).is_file()
        else "",
    )


def _has_keys(folder: Path, device: str) -> bool:
    """Whether ``edgectl init`` has made keys of this device there."""
    try:
        return (folder / "devices" / f"{device}.key").is_file() and (folder / "collector.pub").is_file()
    except (OSError, ValueError):
        return False


def _there(path: Path) -> bool:
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError as error:
        hint = "Name a folder that is there and that you may write to"
        raise AgentError(_OP, str(path), (error.strerror or str(error)).lower(), hint) from error
    return True


def _taken(path: Path) -> AgentError:
    hint = "Name another with --output, or replace it with --force"
    return AgentError(_OP, str(path), "it is there already", hint)


def write(path: Path, text: str, *, replace: bool) -> None:
    """Write a file as a whole or not at all.

    Raises:
        AgentError: the folder refuses.
    """
    try:
        if replace and path.exists() and not path.is_file():  # root would put a file in the place of a device
            path.write_text(text, encoding="utf-8")
            return
        aside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with aside.open("x", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            if replace:
                aside.replace(os.path.realpath(path))  # what a link leads to, not the link
            else:
                os.link(aside, path)  # fails where another was faster
        finally:
            aside.unlink(missing_ok=True)
    except FileExistsError as error:
        raise _taken(path) from error
    except OSError as error:
        hint = "Name a folder that is there and that you may write to"
        raise AgentError(_OP, str(path), (error.strerror or str(error)).lower(), hint) from error


def _model(name: str) -> str:
    """Give the model as the configuration is to name it: its relative paths start elsewhere."""
    try:
        if Path(name).exists() and name.isprintable():
            return str(Path(name).resolve())
    except OSError as error:
        raise AgentError("choose model", name, (error.strerror or str(error)).lower()) from error
    known = resources.bundled_models()
    if name not in known:
        problem = "there is no such file, nor such a bundled model"
        raise AgentError("choose model", name, problem, f"Give a path, or one of: {', '.join(known)}")
    return name


def _facts(found: Found) -> dict[str, object]:
    return {
        "device": found.device,
        "profile": found.profile.name,
        "why": found.board.why,
        "overlays": [name for name, _ in found.board.overlays],
        "tested": found.profile.tested,
        "runtime": found.runtime,
        "models": list(resources.bundled_models()),
        "model": found.model,
        "broker": found.broker,
        "signed": bool(found.keys),
        "root": found.root,
        "cameras": [
            {
                "path": camera.path,
                "device": camera.best_id,
                "name": camera.name,
                "driver": camera.driver,
                "bus": camera.bus,
                "formats": [str(form) for form in camera.formats],
                "problem": camera.problem,
            }
            for camera in found.cameras
        ],
    }


def _print(found: Found, output: Path, beside: Path, following: list[str]) -> None:
    tested = "tested" if found.profile.tested else "not tested yet"
    rows = [
        ("board", f"{found.board.title} ({tested}): {found.board.why}"),
        ("runtime", found.runtime or "none: see edge-agent doctor"),
        ("model", found.model),
        *(("camera", f"{c.name}, {c.best_id}: {c.problem or told(c.formats, 80)}") for c in found.cameras),
    ]
    if not found.usable:
        rows.append(("source", "the synthetic camera"))
    rows.append(("broker", found.broker or "none: results wait on the disk"))
    if found.broker:
        make = f"with keys: edgectl init {output.with_name(_KEYS)} --device {found.device}, then this again"
        rows.append(
            ("trust", f"signed, with the keys in {found.keys}" if found.keys else f"unsigned; {make}")
        )
    rows.append(("written", f"{output}, {beside}"))
    for name, value in rows:
        print(f"{name:<9}{value}")
    print("\nNext:", *following, sep="\n  ")
