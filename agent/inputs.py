"""What fills each input of a model that takes more than a frame, as a manifest says it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Called = Annotated[str, StringConstraints(min_length=1, max_length=200)]
"""A tensor by its name in the signature, by its name in the graph, or by its position from 0, as digits."""
Number = Annotated[float, Field(allow_inf_nan=False)]


class Constant(BaseModel):
    """The same for each frame: a number that fills the input, or all of its numbers in the tensor's order.

    They are real numbers, which are quantized as the input wants them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    constant: Number | Annotated[tuple[Number, ...], Field(min_length=1, max_length=1 << 12)]


class Carried(BaseModel):
    """What an output was at the frame before; ``initial`` at the first, and where frames begin anew."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    from_: Called = Field(alias="from")
    initial: Number = 0.0


Input = Literal["frame", "size"] | Constant | Carried
"""``frame``: the picture or window. ``size``: height and width, pixels, of what of the picture is shown."""
Inputs = Annotated[dict[Called, Input], Field(max_length=16)]
