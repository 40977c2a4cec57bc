"""``edgectl quantize``: an int8 model of one of real numbers, and what that costs in accuracy."""

from __future__ import annotations

import importlib.util
import tempfile
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from agent.bundles.load import load, read_file
from agent.errors import AgentError, ExtraMissing, InputRejected, ModelInvalid
from agent.files import write_durably
from agent.fleet.packing import apart, words
from agent.fleet.packing.quantizing import OUT
from agent.manifest import MAX_MODEL_BYTES, Pre
from agent.sources.pictures.listing import SUFFIXES, list_files

if TYPE_CHECKING:
    from collections.abc import Callable

_OP = "quantize"
_PROGRAM = "agent.fleet.packing.quantizing"
_LIMIT_S = 4 * 3600.0
_MODE = 0o644
_EVERY = 5
"""Each fifth input is held out."""
_LEAST = 5
_MOST = 5000


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    model: Path
    calibration: Path
    out: Path | None = None
    labels: Path | None = None
    pre: Pre = field(default_factory=Pre)


@dataclass(frozen=True, slots=True)
class Made:
    """An int8 model that was written; sizes are bytes."""

    path: Path
    size_before: int
    size_after: int
    calibrated: int
    held_out: int
    result: words.Quantized


def quantize(options: Options, on_step: Callable[[words.Step], None] = lambda _: None) -> Made:
    """Make the model.

    Raises:
        ExtraMissing: the quantizer is not installed.
        ModelInvalid: the model is none, or the quantizer refuses it.
        InputRejected: there are too few inputs, or one cannot be used.
        AgentError: the result cannot be written.
    """
    if importlib.util.find_spec("ai_edge_quantizer") is None:
        hint = "Run: pip install 'edge-inference-agent[quantize]'"
        raise ExtraMissing(_OP, str(options.model), "the package ai-edge-quantizer is missing", hint)
    model = load(options.model)
    out = options.out or options.model.with_name(f"{options.model.stem}_int8.tflite")
    if out.exists():
        raise AgentError(_OP, str(out), "it is there already", "Name another with --out, or delete it")
    samples = _samples(options.calibration)
    held_out = tuple(samples[_EVERY - 1 :: _EVERY])
    calibration = tuple(one for number, one in enumerate(samples) if number % _EVERY != _EVERY - 1)
    with tempfile.TemporaryDirectory(prefix="edgectl-quantize-") as folder:
        ask = words.QuantizeAsk(
            model=str(options.model.absolute()),
            folder=folder,
            labels=str(options.labels.absolute()) if options.labels else "",
            pre=options.pre,
            calibration=calibration,
            held_out=held_out,
        )
        result = None
        with closing(apart.tried(_PROGRAM, ask, str(options.model), _LIMIT_S)) as words_said:
            for said in words_said:
                if isinstance(said, words.Step):
                    on_step(said)
                elif isinstance(said, words.Quantized):
                    result = said
        content = read_file(Path(folder) / OUT, MAX_MODEL_BYTES, ModelInvalid, _OP)
    if result is None:
        raise AgentError(_OP, str(options.model), "its process ended too soon", "This is a bug: report it")
    try:
        write_durably(out, content, _MODE)
    except OSError as error:
        raise AgentError(_OP, str(out), error.strerror or str(error), "Name another with --out") from error
    return Made(out, len(model.data), len(content), len(calibration), len(held_out), result)


def _samples(folder: Path) -> list[words.Sample]:
    """List the inputs: those of the folder itself, or those of its subfolders, which then name classes."""
    if not folder.is_dir():
        raise InputRejected(_OP, str(folder), "it is no folder", "Give a folder of pictures or .npy files")
    own = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES]
    if own:
        found = [words.Sample(path=path) for path in list_files([str(folder.absolute())])]
    else:
        found = [
            words.Sample(path=path, folder=one.name)
            for one in sorted(folder.iterdir())
            if one.is_dir() and any(path.suffix.lower() in SUFFIXES for path in one.iterdir())
            for path in list_files([str(one.absolute())])
        ]
    if not _LEAST <= len(found) <= _MOST:
        problem = f"it has {len(found)} inputs"
        hint = f"Give {_LEAST} to {_MOST:,}; a hundred that are like the device's own are usual"
        raise InputRejected(_OP, str(folder), problem, hint)
    return found
