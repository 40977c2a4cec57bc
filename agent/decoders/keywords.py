"""Keywords and audio events: one score per class of one window of sound, the best few reported.

Outputs are read as ``classification`` reads them. What is different is the background: classes such as
"silence" and "unknown" are there so that the model has something to say of every window, and are no finding.
They are never reported, and a window in which one of them scores best says nothing at all
(``suppress``), as in the micro_speech example of TensorFlow Lite Micro, where the best class alone counts.

Each window is judged by itself; the filter ``smooth`` joins several.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from agent.decoders import classification
from agent.decoders._fit import check_labels, is_number, misfit
from agent.decoders._scores import Activation
from agent.errors import ModelInvalid
from agent.types import Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.labels import Labels
    from agent.types import Array, Decoder, FrameInfo, Signature

_MOST_IGNORED = 32
_BACKGROUND = ("silence", "unknown")


class Options(BaseModel):
    """Which classes are findings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    top_k: int = Field(default=3, ge=1, le=50, description="how many classes at most, best first")
    min_score: float = Field(default=0.0, ge=0, le=1, description="leave out classes below this score")
    ignore: tuple[str, ...] = Field(
        default=_BACKGROUND, max_length=_MOST_IGNORED, description="labels that are never reported"
    )
    suppress: bool = Field(
        default=True, description="report nothing of a window in which an ignored label scores best"
    )
    activation: Activation = Field(default="auto", description="what turns the output into scores")


def build(options: Options, signature: Signature, labels: Labels) -> KeywordsDecoder:
    """Make the decoder for a model of this signature.

    Raises:
        ModelInvalid: there is not exactly one output, it is no list of at least two numbers, the labels are
            not as many, or ``ignore`` names what is not among them.
    """
    outputs = signature.outputs
    wide = [size for size in outputs[0].shape if size != 1] if len(outputs) == 1 else []
    if len(wide) != 1 or not is_number(outputs[0]):
        raise misfit("keywords", "one output with a score per class, such as [1, 12]", outputs)
    check_labels(labels, wide[0], "keywords")
    known = {_bare(name) for name in labels.names}
    strange = [name for name in options.ignore if _bare(name) not in known]
    if strange and known and "ignore" in options.model_fields_set:
        problem = f"ignore names {strange[0]!r}, which is none of the {len(labels.names)} labels"
        raise ModelInvalid("decode as", "keywords", problem, "Write it as the label file does")
    most = options.top_k + len(options.ignore)
    scores = classification.Options(top_k=most, activation=options.activation)
    return KeywordsDecoder(options, classification.build(scores, signature, labels))


class KeywordsDecoder:
    """Items are {"label", "index", "score"}, the best first.

    Args:
        options: which classes are findings.
        scores: gives all classes that may count, best first.
    """

    def __init__(self, options: Options, scores: Decoder) -> None:
        self._options = options
        self._ignored = {_bare(name) for name in options.ignore}
        self._scores = scores

    def decode(self, outputs: Sequence[Array], frame: FrameInfo, inputs: Sequence[Array] = ()) -> Result:
        """Read one window's output.

        Raises:
            InputRejected: none of the values is finite.
        """
        items = self._scores.decode(outputs, frame, inputs).items
        if self._options.suppress and items and _bare(items[0]["label"]) in self._ignored:
            return Result("keywords", ())
        heard = [
            item
            for item in items
            if item["score"] >= self._options.min_score and _bare(item["label"]) not in self._ignored
        ]
        return Result("keywords", tuple(heard[: self._options.top_k]))


def _bare(label: str) -> str:
    """Give a label without case and the underscores that mark the background: "_silence_" is "silence"."""
    return label.strip("_").casefold()
