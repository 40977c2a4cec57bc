"""A model that is run again and again, each time on what it has said so far: a backend around a backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agent.errors import InputRejected
from agent.generation import NO_TOKEN, choose, mixed
from agent.tensors import dequantize

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agent.generation import Generation
    from agent.types import Array, Backend, TensorSpec


class Generator:
    """A backend that answers with a whole sequence in place of the logits of its next token.

    ``inputs`` and ``outputs`` are the model's own; what ``infer`` gives is a generation's: tokens, int32
    (1, max_tokens), those after the last one being -1; the logarithms of their probabilities, float32 of the
    same shape; and the seed, int64 (1,).

    The context window slides: of the prompt and what was generated, the last ``T`` tokens are given to the
    model. Where its logits are those of every place, (1, T, V), tokens stand at the beginning of the window
    and ``pad`` behind them, which a causal model does not look at. Where they are those of the next token
    only, (1, V), tokens stand at the end.

    Args:
        backend: the model, of one input of token ids (1, T) and one output.
        generation: how to generate.
        beat: is called before each run of the model: each has a deadline, and not so many of them together.
    """

    def __init__(
        self, backend: Backend, generation: Generation, beat: Callable[[], object] = lambda: None
    ) -> None:
        self._backend = backend
        self._generation = generation
        self._beat = beat
        self.inputs: tuple[TensorSpec, ...] = backend.inputs
        self.outputs: tuple[TensorSpec, ...] = backend.outputs
        self._places = backend.inputs[0].shape[1]
        self._everywhere = len(backend.outputs[0].shape) == 3
        self._vocabulary = backend.outputs[0].shape[-1]

    @property
    def runtime(self) -> str:
        """Name and version of the model's runtime."""
        return self._backend.runtime

    @property
    def delegate(self) -> str:
        """What runs the model."""
        return self._backend.delegate

    @property
    def delegated(self) -> tuple[int, int]:
        """How many operators the delegate has taken, and how many the model has."""
        return self._backend.delegated

    @property
    def quantized(self) -> bool:
        """Whether the model's weights are integers, where its backend says so."""
        return bool(getattr(self._backend, "quantized", False))

    def infer(self, tensors: Sequence[Array]) -> Sequence[Array]:
        """Generate until a stop token, or ``max_tokens``: so often is the model run.

        Args:
            tensors: token ids (1, T); what is negative is no token.

        Raises:
            InputRejected: there is no token to begin with, one that the model does not know, or no logit is
                finite.
            BackendFault: the runtime failed.
            DelegateLost: an accelerator is away.
        """
        generation = self._generation
        ids = [*generation.prompt, *(one for one in tensors[0].reshape(-1).tolist() if one >= 0)]
        self._check(ids)
        seed = mixed(generation.seed, ids)
        rng = np.random.Generator(np.random.PCG64(seed))
        tokens = np.full((1, generation.max_tokens), NO_TOKEN, np.int32)
        logs = np.zeros((1, generation.max_tokens), np.float32)
        for at in range(generation.max_tokens):
            try:
                token, log = choose(self._logits(ids[-self._places :]), generation, rng)
            except ValueError as error:
                hint = "Check the model with --task tensor"
                raise InputRejected("generate", self.outputs[0].name, str(error), hint) from error
            tokens[0, at], logs[0, at] = token, log
            ids.append(token)
            if token in generation.stop:
                break
        return tokens, logs, np.array([seed], np.int64)

    def close(self) -> None:
        """Free the model. Idempotent."""
        self._backend.close()

    def _logits(self, context: Sequence[int]) -> Array:
        """Run the model once; give what it says of the token after ``context``."""
        spec = self.inputs[0]
        window = np.full(spec.shape, self._generation.pad, spec.dtype)
        if self._everywhere:
            window[0, : len(context)] = context
        else:
            window[0, self._places - len(context) :] = context
        self._beat()
        made = self._backend.infer((window,))[0]
        if made.shape != self.outputs[0].shape:
            problem = f"its shape is {list(made.shape)}, and the model says {list(self.outputs[0].shape)}"
            hint = "Convert the model with fixed shapes"
            raise InputRejected("generate", self.outputs[0].name, problem, hint)
        logits = dequantize(made, self.outputs[0]).reshape(-1, self._vocabulary)
        last: Array = logits[len(context) - 1 if self._everywhere else 0]
        return last

    def _check(self, ids: Sequence[int]) -> None:
        name = self.inputs[0].name
        if not ids:
            problem = "there is no token to begin with"
            raise InputRejected(
                "generate", name, problem, "Give tokens, or a prompt in the decoder's options"
            )
        if strange := next((one for one in ids if one >= self._vocabulary), None):
            problem = f"token {strange} is none of the {self._vocabulary} that the model knows"
            raise InputRejected("generate", name, problem, f"Give tokens from 0 to {self._vocabulary - 1}")
