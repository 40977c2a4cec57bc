"""The heads of ``detection`` by name, and which one a model has.

Where the option names none, the shapes must tell: one head alone must be sure of them. Else the model is
refused with the names to choose from: boxes that are read by another head's rules still look like boxes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from agent.decoders._fit import is_number, misfit
from agent.decoders.heads import centers, efficientdet, ssd, ssd_raw, yolov5, yolov8, yolov10
from agent.decoders.heads.boxes import Fit
from agent.errors import ModelInvalid

if TYPE_CHECKING:
    from agent.decoders.heads.boxes import Head
    from agent.decoders.heads.options import Options
    from agent.labels import Labels
    from agent.types import Signature


class Kind(Protocol):
    """What the module of a head has."""

    WANTED: str

    def fit(self, options: Options, signature: Signature) -> Fit:
        """Say whether the outputs are of this head."""

    def find(self, options: Options, signature: Signature, labels: Labels) -> Head | None:
        """Make the head; give None where the outputs are of no such kind.

        Raises:
            ModelInvalid: they are, and something else about the model does not fit the options or labels.
        """


HEADS: dict[str, Kind] = {
    "ssd": ssd,
    "centers": centers,
    "ssd_raw": ssd_raw,
    "efficientdet": efficientdet,
    "yolov5": yolov5,
    "yolov8": yolov8,
    "yolov10": yolov10,
}


def choose(options: Options, signature: Signature, labels: Labels) -> Head:
    """Make the head that the options name, or that the outputs' shapes tell.

    Raises:
        ModelInvalid: the outputs are no head's, or may be several heads'; or labels or anchors do not fit.
    """
    outputs = signature.outputs
    head = None
    if all(is_number(spec) for spec in outputs):
        name = options.head if options.head != "auto" else _told(options, signature)
        head = HEADS[name].find(options, signature, labels) if name else None
    if head is None:
        wanted = HEADS.values() if options.head == "auto" else [HEADS[options.head]]
        raise misfit("detection", "; or ".join(kind.WANTED for kind in wanted), outputs)
    return head


def _told(options: Options, signature: Signature) -> str | None:
    """Give the name of the head that the shapes tell, None where they are no head's."""
    fits = {name: kind.fit(options, signature) for name, kind in HEADS.items()}
    sure = [name for name, fit in fits.items() if fit is Fit.SURE]
    names = sure or [name for name, fit in fits.items() if fit is Fit.MAYBE]
    if len(sure) == 1 or not names:
        return sure[0] if sure else None
    found = ", ".join(f"{spec.name} {spec.dtype}{list(spec.shape)}" for spec in signature.outputs)
    choices = [f'head = "{name}"' for name in names]
    raise ModelInvalid(
        "decode as",
        "detection",
        f"the shapes alone do not tell which head has {found}",
        f"Name the decoder's {' or '.join(choices)}, or use --task tensor",
    )
