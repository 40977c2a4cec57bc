"""What is read of a bus, as a configuration names it: a value each, which is a channel."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agent.sources.sampling.cutting import Finite

_MOST_BITS = 512
"""Of a message's data, in CAN FD."""


class Register(BaseModel):
    """A value of the unit, which is a channel."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    name: str = Field(min_length=1, max_length=60)
    """What it is."""
    address: int = Field(ge=0, le=0xFFFF)
    """Its first register, from 0: what manuals number 40001 is 0."""
    kind: Literal["input", "holding", "coil", "discrete"] = "holding"
    """Which of the unit's four tables."""
    type: Literal["int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"] = "uint16"
    """How its registers are one number; coils and discrete inputs are 0 or 1."""
    word_order: Literal["big", "little"] = "big"
    """Which of its registers comes first: the one with the highest bits, or with the lowest."""
    scale: Finite = 1.0
    """What the number is multiplied by."""
    offset: Finite = 0.0
    """What is added after that."""

    @model_validator(mode="after")
    def _is_whole(self) -> Register:
        if self.kind in {"coil", "discrete"} and {"type", "word_order"} & self.model_fields_set:
            raise ValueError(f"a {self.kind} is one bit: it has neither type nor word_order")
        size = int(self.type.lstrip("uintfloa")) // 16
        if self.kind in {"holding", "input"} and self.address + size > 0x10000:
            raise ValueError("it ends beyond the last register")
        return self


class Signal(BaseModel):
    """A number within a message, which is a channel. The keys are those of a DBC file."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    name: str = Field(min_length=1, max_length=60)
    """What it is."""
    id: int = Field(ge=0, le=0x1FFFFFFF)
    """The message's number."""
    extended: bool = False
    """Whether that number has 29 bits."""
    start: int = Field(ge=0, lt=_MOST_BITS)
    """Its first bit: the lowest in little order, the highest in big order, counted as in DBC files."""
    length: int = Field(ge=1, le=64)
    """How many bits it has."""
    order: Literal["little", "big"] = "little"
    """Which byte comes first: little is Intel's order, big Motorola's."""
    signed: bool = False
    """Whether the highest bit is a sign."""
    scale: Finite = 1.0
    """What the number is multiplied by."""
    offset: Finite = 0.0
    """What is added after that."""

    @model_validator(mode="after")
    def _is_possible(self) -> Signal:
        if self.id > 0x7FF and not self.extended:
            raise ValueError("a number above 0x7ff has 29 bits: say extended = true")
        first = self.start if self.order == "little" else self.start - self.start % 8 + 7 - self.start % 8
        if first + self.length > _MOST_BITS:
            raise ValueError(f"it ends beyond the {_MOST_BITS // 8} bytes of the longest message")
        return self
