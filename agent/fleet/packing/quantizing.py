"""The program that quantizes a model for ``edgectl quantize``, and compares it with what it was.

``python -m agent.fleet.packing.quantizing SOCKET_FD SPEC_FD PARENT_PID``. It confines itself as a worker
does.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import redirect_stderr
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.bundles.load import LoadedModel, load, read_labels
from agent.errors import ConfigInvalid, ModelInvalid
from agent.fleet.packing import side, words
from agent.tflite import metadata
from agent.types import Needs
from agent.workers.confining import confine
from agent.workers.spec import LaneSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pydantic import BaseModel

    from agent.types import Array
    from agent.workers.program.measuring import Tryout

OUT = "out.tflite"
_OP = "quantize"
_EPSILON = 1e-12
_AT_ONCE = 32
"""Inputs that are handed over together: the quantizer keeps all that it is given in memory."""


def main() -> None:
    """Run as a program."""
    side.serve(words.QuantizeAsk, quantized)


def quantized(ask: words.QuantizeAsk, say: Callable[[BaseModel], None]) -> None:
    """Calibrate, quantize, write the file, compare.

    Raises:
        ModelInvalid: the model is quantized already, or the quantizer refuses it.
        InputRejected: an input cannot be read, or does not fit.
        ConfigInvalid: folders are named as no class is.
    """
    reads = tuple(one.path for one in (*ask.calibration, *ask.held_out))
    spec = LaneSpec(
        pipeline=_OP, model=ask.model, labels=ask.labels, source="images", task="tensor", draw=ask.folder
    )
    confine(spec, [Needs(reads)])
    model = load(ask.model)
    model = replace(model, pre=metadata.filled(ask.pre, model.data, model.said))
    before = _tryout(spec, model)
    if len(before.engine.backend.inputs) != 1:
        raise ModelInvalid(_OP, model.name, "it has more than one input", "Pack it as it is: edgectl pack")
    if getattr(before.engine.backend, "quantized", False):
        raise ModelInvalid(_OP, model.name, "it is quantized already", "Pack it with: edgectl pack")
    classes = _classes(before)
    index = _indices(model, ask, classes) if classes else {}
    with Path(os.devnull).open("w") as nowhere, redirect_stderr(nowhere):  # it has a bar of its own
        content = _converted(model, before, ask, say)
    (Path(ask.folder) / OUT).write_bytes(content)
    found = replace(model, data=content, sha256=hashlib.sha256(content).hexdigest())
    say(_compared(before, _tryout(spec, found), ask, index, say))


def _tryout(spec: LaneSpec, model: LoadedModel) -> Tryout:
    from agent.workers.program import engines
    from agent.workers.program.measuring import Tryout

    return Tryout(engines.engine(spec, model, engines.backend_of(spec, model)))


def _converted(
    model: LoadedModel, tryout: Tryout, ask: words.QuantizeAsk, say: Callable[[BaseModel], None]
) -> bytes:
    """Make the int8 model: weights and activations, the borders, too, where that is possible.

    A tensor's range is from the least to the greatest number that any input gave it: the quantizer's own way,
    a moving average of each input's extremes, cuts half of the inputs off and follows their order.
    """
    from ai_edge_quantizer import quantizer, recipe
    from ai_edge_quantizer.calibrator import Calibrator
    from ai_edge_quantizer.recipe_manager import RecipeManager
    from ai_edge_quantizer.utils.qsv_utils import min_max_update

    signature, name = _entry(model)
    wanted, manager = recipe.static_wi8_ai8(), RecipeManager()
    try:
        manager.load_quantization_recipe(wanted)
        ranges = Calibrator(bytearray(model.data), num_threads=1, qsv_update_func=min_max_update)
        for at in range(0, len(ask.calibration), _AT_ONCE):
            some = [{name: tensor.copy()} for tensor in _tensors(tryout, ask.calibration[at : at + _AT_ONCE])]
            ranges.calibrate({signature: some}, manager)
            say(words.Step(done=at + len(some), of=len(ask.calibration) + len(ask.held_out)))
        worker = quantizer.Quantizer(bytearray(model.data), wanted)
        return bytes(worker.quantize(ranges.get_model_qsvs()).quantized_model)
    except (ValueError, RuntimeError, KeyError, NotImplementedError, TypeError) as error:
        problem = " ".join(f"the quantizer refuses it: {error}".split())[:300]
        raise ModelInvalid(_OP, model.name, problem, "Export it with built-in operators only") from error


def _entry(model: LoadedModel) -> tuple[str, str]:
    """Name the model's signature and its input, as the quantizer wants them."""
    from agent.backends._runtimes import choose

    interpreter = choose().module.Interpreter(model_content=model.data, num_threads=1)
    found: dict[str, Any] = interpreter.get_signature_list()
    if len(found) != 1:
        problem = f"it has {len(found)} signatures, and the quantizer wants one"
        raise ModelInvalid(_OP, model.name, problem, "Export it with a signature, as current converters do")
    [(signature, ends)] = found.items()
    return signature, ends["inputs"][0]


def _tensors(tryout: Tryout, samples: Sequence[words.Sample]) -> Iterator[Array]:
    from agent.sources.pictures.picture import read_picture

    for one in samples:
        yield tryout.tensors(read_picture(one.path))[0]


def _compared(
    before: Tryout,
    after: Tryout,
    ask: words.QuantizeAsk,
    index: dict[str, int],
    say: Callable[[BaseModel], None],
) -> words.Quantized:
    """Run both on what was held out; ``index`` says which class each folder names."""
    import numpy as np

    classes = _classes(before)
    same = scored = right_before = right_after = 0
    gap = norm = 0.0
    whole = len(ask.calibration) + len(ask.held_out)
    for number, one in enumerate(ask.held_out, 1):
        olds, news = (_outputs(tryout, one) for tryout in (before, after))
        gap += sum(float(np.sum((old - new) ** 2)) for old, new in zip(olds, news, strict=True))
        norm += sum(float(np.sum(old**2)) for old in olds)
        if classes:
            was, is_now = int(olds[0].argmax()), int(news[0].argmax())
            same += was == is_now
            if one.folder in index:
                scored += 1
                right_before += was == index[one.folder]
                right_after += is_now == index[one.folder]
        say(words.Step(done=len(ask.calibration) + number, of=whole))
    share = same / len(ask.held_out) if classes else 1 - (gap / max(norm, _EPSILON)) ** 0.5
    return words.Quantized(
        measure="top-1" if classes else "outputs",
        agreement=share,
        scored=scored,
        right_before=right_before,
        right_after=right_after,
        quantized=bool(getattr(after.engine.backend, "quantized", False)),
    )


def _classes(tryout: Tryout) -> int:
    """Give how many classes the only output tells apart; 0 where the outputs are something else."""
    outputs = tryout.engine.backend.outputs
    wide = [size for size in outputs[0].shape if size != 1]
    return wide[0] if len(outputs) == 1 and len(wide) == 1 else 0


def _outputs(tryout: Tryout, one: words.Sample) -> list[Array]:
    """Give the real numbers that a model makes of an input."""
    from agent.tensors import dequantize

    [tensor] = _tensors(tryout, [one])
    raw = tryout.engine.backend.infer([tensor])
    return [dequantize(array, spec) for array, spec in zip(raw, tryout.engine.backend.outputs, strict=True)]


def _indices(model: LoadedModel, ask: words.QuantizeAsk, classes: int) -> dict[str, int]:
    """Say which class each folder names: by the labels, or, without any, in the order of their names.

    Raises:
        ConfigInvalid: a folder is named as no class is.
    """
    folders = sorted({one.folder for one in (*ask.calibration, *ask.held_out) if one.folder})
    names = (read_labels(Path(ask.labels)) if ask.labels else model.labels).names
    if not names and len(folders) == classes:
        names = tuple(folders)
    known = {name: number for number, name in enumerate(names)}
    if folders and names and (strange := [one for one in folders if one not in known]):
        problem = f"no class is called {strange[0]!r}"
        hint = f"Name folders as the labels do: {', '.join(names[:10])}"
        raise ConfigInvalid(_OP, f"calibration folder {strange[0]}", problem, hint)
    return {one: known[one] for one in folders if one in known}


if __name__ == "__main__":
    main()
