"""edge-agent init: look at what is plugged in, and write a first configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from agent import resources
from agent.cli.setup.looking import KEYS, look
from agent.cli.setup.schema import schema
from agent.cli.setup.starter import compose
from agent.cli.setup.writing import WRITING, is_there, taken, write
from agent.config import settings as config
from agent.errors import EXIT_OK, AgentError
from agent.sources.v4l2.devices import told

if TYPE_CHECKING:
    import argparse

    from agent.cli.setup.starter import Found

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
        raise AgentError(WRITING, ascii(name), "no file can be so called", "Name a file, such as agent.toml")
    beside = output.with_name(f"{output.stem}.schema.json")
    for path in (output, beside):
        if not arguments.force and is_there(path):
            raise taken(path)
    found = look(_model(arguments.model), arguments.broker, beside, arguments.id)
    text = compose(found)
    config.parse(text, str(output))  # a name from outside may be no fit one
    write(output, text, replace=arguments.force)
    write(beside, json.dumps(schema(), indent=2) + "\n", replace=arguments.force)
    following = [f"edge-agent {verb} --config {output}" for verb in ("check", "run")]
    if found.broker:
        trust = f"--keys {output.with_name(KEYS)}" if found.keys else "--unsigned"
        following.append(f"edgectl collect {trust} --host {found.broker}")
    if arguments.json:
        print(json.dumps({**_facts(found), "written": [str(output), str(beside)], "next": following}))
    else:
        _print(found, output, beside, following)
    return EXIT_OK


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
        make = f"with keys: edgectl init {output.with_name(KEYS)} --device {found.device}, then this again"
        rows.append(
            ("trust", f"signed, with the keys in {found.keys}" if found.keys else f"unsigned; {make}")
        )
    rows.append(("written", f"{output}, {beside}"))
    for name, value in rows:
        print(f"{name:<9}{value}")
    print("\nNext:", *following, sep="\n  ")
