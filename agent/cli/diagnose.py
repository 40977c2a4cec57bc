"""edge-agent diagnose: one file with all that helps to find a fault, and nothing that is a secret."""

from __future__ import annotations

import io
import json
import os
import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli.device import service
from agent.cli.reporting.diagnosis import Diagnosis
from agent.errors import EXIT_OK, AgentError
from agent.files import advice

if TYPE_CHECKING:
    import argparse

HELP = "gather what helps to find a fault, without secrets, into one file"
DESCRIPTION = """\
Writes a .tar.gz with versions, status, configuration, device passport, the newest entries of the audit log
and lines of the log, the store's counts, and what the kernel says of memory, disk and our processes. Whatever
is a secret is replaced by ***: passwords, keys, names and passwords in URLs. There are no pictures and no
results in it. It works beside a running agent, and without one."""
EPILOG = """\
examples:
  sudo edge-agent diagnose
  edge-agent diagnose --config agent.toml --out fault.tar.gz

exit codes: 0 written; missing.json in it says what could not be had. 1 it cannot be written, 2 usage"""
MOST_BYTES = 16 << 20
"""Of the file."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    service.add_config(parser)
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="default edge-agent-DEVICE.tar.gz, here; a new file"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def main(arguments: argparse.Namespace) -> int:
    """Gather and write; give the exit code."""
    service.look_as(arguments.config)
    diagnosis = Diagnosis(arguments.config)
    path = arguments.out or Path(f"edge-agent-{diagnosis.device}.tar.gz")
    content, names = packed(diagnosis)
    try:
        with os.fdopen(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb"
        ) as file:
            file.write(content)
    except OSError as error:
        raise AgentError("write", str(path), error.strerror or str(error), advice(error)) from error
    told = {"bytes": len(content), "parts": names}
    print(json.dumps(told) if arguments.json else f"{path}: {len(content) >> 10} KB, {', '.join(names)}")
    return EXIT_OK


def packed(diagnosis: Diagnosis) -> tuple[bytes, list[str]]:
    """Give the archive, and the names of its parts; those that are beyond its bound are left out.

    Raises:
        AgentError: it is too large all the same.
    """
    out, names, left = io.BytesIO(), [], MOST_BYTES
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=6) as archive:
        for name, content in diagnosis.parts():
            if len(content) > left:
                continue
            left -= len(content)
            info = tarfile.TarInfo(f"edge-agent-{diagnosis.device}/{name}")
            info.size, info.mode, info.mtime = len(content), 0o600, int(time.time())
            archive.addfile(info, io.BytesIO(content))
            names.append(name)
    return out.getvalue(), names
