"""Sequence: what is read of a generation, and which models fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from agent.decoders import sequence
from agent.errors import InputRejected, ModelInvalid
from agent.generation import Generation
from agent.labels import Labels
from agent.types import FrameInfo, Signature, TensorSpec

FRAME = FrameInfo(seq=0, captured_ns=0, height=1, width=1)
IDS = TensorSpec("ids", "int32", (1, 4))
LOGITS = TensorSpec("logits", "float32", (1, 4, 3))
LABELS = Labels(("red", "green", "end"))


def build(
    inputs: Any = (IDS,), outputs: Any = (LOGITS,), labels: Labels = LABELS, **options: Any
) -> sequence.SequenceDecoder:
    return sequence.build(sequence.Options(**options), Signature(inputs, outputs), labels)


def generated(tokens: list[int], shares: list[float], seed: int = 7) -> list[Any]:
    logs = np.log(np.array([shares], np.float32))
    return [np.array([tokens], np.int32), logs, np.array([seed], np.int64)]


def test_tokens_become_words_and_the_score_is_their_mean_probability() -> None:
    result = build().decode(generated([1, 0, -1], [0.5, 0.25, 1.0], seed=(1 << 63) - 1), FRAME)
    assert result.kind == "sequence"
    assert result.items == ({"text": "green red", "tokens": [1, 0], "score": 0.375, "seed": (1 << 63) - 1},)


def test_the_stop_token_counts_for_the_score_and_is_not_shown() -> None:
    [item] = build(stop=(2,), join="").decode(generated([0, 1, 2], [0.5, 0.5, 0.2]), FRAME).items
    assert (item["text"], item["tokens"], item["score"]) == ("redgreen", [0, 1], 0.4)


def test_nothing_generated_is_an_empty_text() -> None:
    [item] = build().decode(generated([-1, -1], [1.0, 1.0]), FRAME).items
    assert (item["text"], item["tokens"], item["score"]) == ("", [], 0.0)


def test_a_text_has_a_bound() -> None:
    tokens = [0] * 256
    labels = Labels(("x" * 200, "b", "c"))
    [item] = build(labels=labels).decode(generated(tokens, [1.0] * 256), FRAME).items
    assert len(item["text"]) == 8192


@pytest.mark.parametrize(
    "outputs", [[np.zeros((1, 4, 3))], generated([0], [1.0])[:2], [*generated([0, 1], [1.0])]]
)
def test_what_is_no_generation_is_rejected(outputs: Any) -> None:
    with pytest.raises(InputRejected, match="no generated sequence"):
        build().decode(outputs, FRAME)


def test_a_probability_that_is_no_number_is_rejected() -> None:
    with pytest.raises(InputRejected, match="NaN or infinite"):
        build().decode(generated([0], [float("nan")]), FRAME)


def test_the_module_says_how_to_generate() -> None:
    options = sequence.Options(
        max_tokens=9, temperature=0.5, top_k=2, seed=3, prompt=(1,), stop=(2,), pad=1, join="-"
    )
    assert sequence.generation(options) == Generation(9, 0.5, 2, 3, (1,), (2,), 1)
    assert sequence.generation(sequence.Options()) == Generation()


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        ((IDS, IDS), (LOGITS,)),
        ((IDS,), (LOGITS, LOGITS)),
        ((TensorSpec("ids", "float32", (1, 4)),), (LOGITS,)),
        ((TensorSpec("ids", "int8", (1, 4), (0.5,), (0,)),), (LOGITS,)),
        ((TensorSpec("ids", "int32", (4,)),), (LOGITS,)),
        ((IDS,), (TensorSpec("logits", "float32", (1, 5, 3)),)),
        ((IDS,), (TensorSpec("logits", "float32", (3,)),)),
        ((IDS,), (TensorSpec("logits", "float32", (1, 4, 1)),)),
    ],
)
def test_other_models_are_refused(inputs: Any, outputs: Any) -> None:
    with pytest.raises(ModelInvalid, match="the task wants token ids"):
        build(inputs, outputs)


def test_an_input_whose_type_does_not_hold_every_token_is_refused() -> None:
    ids = TensorSpec("ids", "int8", (1, 4))
    build((ids,), (TensorSpec("logits", "float32", (1, 4, 128)),), Labels())
    with pytest.raises(ModelInvalid, match="takes int8, which does not hold all of its 129 tokens"):
        build((ids,), (TensorSpec("logits", "float32", (1, 4, 129)),), Labels())


def test_a_model_may_give_the_next_tokens_logits_alone_and_quantized() -> None:
    build(outputs=(TensorSpec("logits", "int8", (1, 3), (0.1,), (0,)),))


def test_labels_and_options_must_know_the_models_tokens() -> None:
    with pytest.raises(ModelInvalid, match="there are 2 labels for 3 classes"):
        build(labels=Labels(("a", "b")))
    for options in ({"stop": (3,)}, {"prompt": (0, 3)}, {"pad": 3}):
        with pytest.raises(ModelInvalid, match="there is no token 3: the model knows 3"):
            build(**options)
