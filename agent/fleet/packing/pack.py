"""``edgectl pack``: a bundle of a model and of what is said of it; what would fail later is refused."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent import manifest, plugins
from agent.bundles import extras
from agent.bundles.load import load, read_file
from agent.errors import AgentError, ConfigInvalid, InputRejected, ModelInvalid
from agent.fleet.packing import apart, gaps, making, recipe, variants, words
from agent.fleet.packing.making import Parts, Trial
from agent.fleet.packing.staging import staging
from agent.fleet.packing.windows import npy_of_wav
from agent.labels import MAX_BYTES as MAX_LABEL_BYTES
from agent.manifest import MANIFEST, Manifest, Pre

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.bundles.load import LoadedModel
    from agent.fleet.packing.recipe import Recipe
    from agent.fleet.packing.staging import Staging

_OP = "pack"
_PROGRAM = "agent.fleet.packing.trial"
_LIMIT_S = 600.0
_MAX_INPUT = 64 << 20


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    model: Path
    recipe: Path
    out: Path | None = None
    variants: tuple[str, ...] = ()
    chunk: int = manifest.CHUNK_BYTES
    allow_float: bool = False
    allow_unproven: bool = False


@dataclass(frozen=True, slots=True)
class Packed:
    """A bundle that was made; ``cost`` is what was measured, None where nothing was."""

    folder: Path
    manifest: Manifest
    digest: str
    manifest_size: int
    cost: words.Cost | None


def pack(options: Options, on_step: Callable[[words.Step], None] = lambda _: None) -> Packed:
    """Make the bundle.

    Raises:
        AgentError: what is wrong, with the model, with what is said of it, or with both together.
    """
    if options.model.is_dir():
        raise ModelInvalid(_OP, str(options.model), "it is a folder", "Give a .tflite file")
    told = recipe.read(options.recipe)
    model = load(options.model)
    told = gaps.filled(told, model, options.recipe)
    if not told.golden and not options.allow_unproven:
        problem = "it names no golden input: no device could tell whether the model works there"
        raise ConfigInvalid(_OP, str(options.recipe), problem, "Add [[golden]], or give --allow-unproven")
    out = options.out or Path(f"{told.name}-{told.version}")
    with staging(out, options.chunk) as stage:
        parts = _gathered(stage, told, model, options)
        trial = _tried(stage, parts, told, on_step)
        _check(trial.contract, model, options)
        made = making.manifest_of(told, trial, parts, stage.entries, options.recipe)
        content = making.content_of(made, options.recipe)
        stage.keep(MANIFEST, content)
    return Packed(out, made, manifest.digest(content), len(content), trial.cost)


def _gathered(stage: Staging, told: Recipe, model: LoadedModel, options: Options) -> Parts:
    """Copy all files of the bundle, and note what each was called."""
    near = options.recipe.parent
    names: dict[str, str] = {}

    def put(path: str, content: bytes, source: Path) -> str:
        names[str((stage.folder / path).absolute())] = str(source)
        return stage.put(path, content)

    path = put(_plain(options.model.name), model.data, options.model)
    others = {}
    for delegate, file in variants.parse(options.variants).items():
        others[delegate] = put(
            f"{delegate}/{_plain(file.name)}", variants.read(delegate, file, model.data), file
        )
    labels = None
    if told.labels is not None:
        file = near / told.labels
        labels = put("labels.txt", read_file(file, MAX_LABEL_BYTES, ModelInvalid, "read labels"), file)
    elif model.labels.names:
        text = "".join(f"{name}\n" for name in model.labels.names)
        labels = put("labels.txt", text.encode(), options.model)
    goldens = []
    for number, one in enumerate(told.golden):
        content, suffix = _golden_input(near / one.input)
        goldens.append(put(f"golden/{number}{suffix}", content, near / one.input))
    extra = {}
    for option, name in _extras(told).items():
        content = read_file(near / name, extras.MAX_BYTES, ModelInvalid, f"read {option}")
        extra[option] = put(f"{option}/{_plain(Path(name).name)}", content, near / name)
    return Parts(path, others, labels, tuple(goldens), extra, names)


def _extras(told: Recipe) -> dict[str, str]:
    """Give the files that the decoder needs beside the model, by the option that names them."""
    return extras.named(plugins.load("decoders", told.post.kind), told.post.options) if told.post else {}


def _golden_input(path: Path) -> tuple[bytes, str]:
    """Read a golden input; give what is packed, and its name's ending."""
    data = read_file(path, _MAX_INPUT, InputRejected, "read golden input")
    if not data:
        raise InputRejected("read golden input", str(path), "the file is empty", "Copy it again")
    suffix = path.suffix.lower()
    return (npy_of_wav(data, str(path)), ".npy") if suffix == ".wav" else (data, suffix)


def _plain(name: str) -> str:
    """Give a name that a manifest may list."""
    kept = "".join(one if one.isascii() and (one.isalnum() or one in "._-") else "_" for one in name)
    return kept.lstrip(".-")[-100:].lstrip(".-") or "model.tflite"


def _tried(stage: Staging, parts: Parts, told: Recipe, on_step: Callable[[words.Step], None]) -> Trial:
    """Run the very files that are packed, in a process of their own."""
    folder = stage.folder.absolute()
    ask = words.TrialAsk(
        model=str(folder / parts.model),
        labels=str(folder / parts.labels) if parts.labels else "",
        task=told.post.kind if told.post else told.task,
        pre=told.pre or Pre(),
        post={**(told.post.options if told.post else {}), **_placed(folder, parts.extras)},
        goldens=tuple(
            words.GoldenInput(path=str(folder / path), tol=one.tol)
            for path, one in zip(parts.goldens, told.golden, strict=True)
        ),
        measure=told.budget.measure,
    )
    contract, cost, answers = None, None, {}
    with closing(apart.tried(_PROGRAM, ask, parts.model, _LIMIT_S, parts.names)) as words_said:
        for said in words_said:
            match said:
                case words.Contract():
                    contract = said
                case words.Cost():
                    cost = said
                case words.Answer():
                    answers[said.number] = said.items
                case words.Step():
                    on_step(said)
    if contract is None or len(answers) != len(parts.goldens):
        raise AgentError("run model", parts.model, "its process ended too soon", "This is a bug: report it")
    return Trial(contract, cost, tuple(answers[number] for number in range(len(answers))))


def _placed(folder: Path, paths: Mapping[str, str]) -> dict[str, str]:
    return {option: str(folder / path) for option, path in paths.items()}


def _check(contract: words.Contract, model: LoadedModel, options: Options) -> None:
    if contract.sha256 != model.sha256:
        raise ModelInvalid(_OP, str(options.model), "it has changed meanwhile", "Run it again")
    if not contract.quantized and not options.allow_float:
        hint = "Quantize it with: edgectl quantize. Or give --allow-float"
        raise ModelInvalid(_OP, str(options.model), "it computes in real numbers: it is not quantized", hint)
