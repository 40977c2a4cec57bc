"""Sequence: what a small language model goes on with, token by token.

The model takes token ids, an integer input [1, T], and gives logits of the next token, [1, V], or of the
token after each place, [1, T, V]. It is run once a token: ``generation`` tells the engine how, and what this
decoder gets is what came of that (``agent.pipeline.generating``): the tokens, the logarithms of their
probabilities, and the seed.

The score is the mean of the probabilities that the model itself gave to the tokens, at temperature 1 and
among all tokens, that of the stop token included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from agent.decoders._fit import check_labels, garbage, is_number, misfit
from agent.errors import InputRejected, ModelInvalid
from agent.generation import MAX_TOKENS, Generation
from agent.types import Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.labels import Labels
    from agent.types import Array, FrameInfo, Signature

_WANTED = "token ids [1, T] as its only input, and one output of logits, [1, V] or [1, T, V]"
_MOST_PLACES, _MOST_TOKENS = 4096, 1 << 20
_LONGEST_TEXT = 8192
_DIGITS = 6

Token = Annotated[int, Field(ge=0, lt=_MOST_TOKENS)]


class Options(BaseModel):
    """How it is generated, and how it is written."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_tokens: int = Field(
        default=32, ge=1, le=MAX_TOKENS, description="how many tokens at most; so often the model runs"
    )
    temperature: float = Field(
        default=0.0, ge=0, le=100, description="0 takes the best token; else the higher, the more random"
    )
    top_k: int | None = Field(
        default=None, ge=1, le=_MOST_TOKENS, description="how many of the best may be drawn; none for all"
    )
    seed: int = Field(default=0, ge=0, le=(1 << 32) - 1, description="of the random choice")
    prompt: tuple[Token, ...] = Field(
        default=(), max_length=1024, description="tokens that stand before those of the frame"
    )
    stop: tuple[Token, ...] = Field(default=(), max_length=16, description="tokens that end a sequence")
    pad: Token = Field(default=0, description="what fills the places of the input that hold no token")
    join: str = Field(default=" ", max_length=8, description="what stands between two tokens in the text")


def generation(options: Options) -> Generation:
    """Say how the engine is to generate what this decoder reads."""
    told = options.model_dump(exclude={"join"})
    return Generation(**{**told, "top_k": options.top_k or 0})


def build(options: Options, signature: Signature, labels: Labels) -> SequenceDecoder:
    """Make the decoder for a model of this signature.

    Raises:
        ModelInvalid: the tensors are others, the labels are not as many as the tokens, or an option names a
            token that the model does not have.
    """
    inputs, outputs = signature.inputs, signature.outputs
    shape = outputs[0].shape if len(outputs) == 1 and is_number(outputs[0]) else ()
    given = inputs[0].shape if len(inputs) == 1 and np.dtype(inputs[0].dtype).kind == "i" else ()
    fits = len(given) == 2 and given[0] == 1 and 1 <= given[1] <= _MOST_PLACES and not inputs[0].scale
    whole = shape[:1] == (1,) and (len(shape) == 2 or shape[1:-1] == given[1:])
    if not fits or not whole or not 2 <= shape[-1] <= _MOST_TOKENS:
        raise misfit("sequence", _WANTED, outputs)
    if shape[-1] - 1 > np.iinfo(inputs[0].dtype).max:
        problem = f"its input takes {inputs[0].dtype}, which does not hold all of its {shape[-1]} tokens"
        raise ModelInvalid("decode as", "sequence", problem, "Convert the model with int32 token ids")
    check_labels(labels, shape[-1], "sequence")
    for token in (*options.prompt, *options.stop, options.pad):
        if token >= shape[-1]:
            problem = f"there is no token {token}: the model knows {shape[-1]}"
            raise ModelInvalid("decode as", "sequence", problem, f"Name tokens from 0 to {shape[-1] - 1}")
    return SequenceDecoder(options, labels)


class SequenceDecoder:
    """One item: {"text", "tokens", "score", "seed"}; the stop token is in neither text nor tokens."""

    def __init__(self, options: Options, labels: Labels) -> None:
        self._stop, self._join, self._labels = frozenset(options.stop), options.join, labels

    def decode(
        self,
        outputs: Sequence[Array],
        frame: FrameInfo,  # noqa: ARG002 - the seam has it
        inputs: Sequence[Array] = (),  # noqa: ARG002 - the seam has it
    ) -> Result:
        """Read one generation: tokens (1, N), of which those below 0 are none; logarithms (1, N); seed (1,).

        Raises:
            InputRejected: it is none, as of a model that was run once; or a number is NaN or infinite.
        """
        if [array.size for array in outputs[2:]] != [1] or outputs[0].size != outputs[1].size:
            problem = "it is no generated sequence"
            raise InputRejected("decode", "sequence", problem, "Run the model in a pipeline")
        if not all(np.isfinite(array).all() for array in outputs):
            problem = "a token or its probability is NaN or infinite"
            raise garbage("sequence", problem)
        ids, logs, seed = (array.reshape(-1) for array in outputs)
        there = ids >= 0
        tokens = [one for one in map(int, ids[there].tolist()) if one not in self._stop]
        likely = np.exp(np.minimum(logs[there].astype(np.float64), 0))
        text = self._join.join(self._labels.name(one) for one in tokens)
        item = {
            "text": text[:_LONGEST_TEXT],
            "tokens": tokens,
            "score": round(float(likely.mean()), _DIGITS) if likely.size else 0.0,
            "seed": int(seed.item()),
        }
        return Result("sequence", (item,))
