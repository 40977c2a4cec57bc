"""A result as a worker tells it to its supervisor: JSON, checked at the border."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, Field, field_validator

from agent.processes.message import Count, Message, Word

Stamp = Annotated[int, Field(ge=0, lt=1 << 62)]
"""Nanoseconds of CLOCK_MONOTONIC; the wall time worked out from one still fits 63 bits."""


def _not_reserved(kind: str) -> str:
    if kind in {"ledger", "event", "metrics"}:
        raise ValueError("it is the supervisor's own")
    return kind


class Record(Message):
    """The result of one frame, or why it failed (`kind` "failed")."""

    frame: Count
    captured_ns: Stamp
    infer_us: Count = 0
    kind: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$"), AfterValidator(_not_reserved)]
    """The result's kind; "failed" says why there is none; "ledger", "event" and "metrics" are not its own."""
    items: list[dict[str, Any]]
    events: list[dict[str, Any]] = Field(default_factory=list)
    """What filters noticed."""
    also: dict[Word, Any] = Field(default_factory=dict)
    """Results of further models of the frame, by the names of their stages."""
    origin: Annotated[str, Field(max_length=4096)] = ""

    @field_validator("items", "events", "also")
    @classmethod
    def _storable(cls, value: Any) -> Any:
        try:
            orjson.dumps(value)
        except TypeError as error:  # an integer of more than 64 bits
            raise ValueError(str(error)) from error
        return value

    def as_json(self) -> dict[str, Any]:
        """The fields, without those that say nothing."""
        body: dict[str, Any] = {
            "frame": self.frame,
            "captured_ns": self.captured_ns,
            "infer_us": self.infer_us,
            "kind": self.kind,
            "items": self.items,
        }
        if self.events:
            body["events"] = self.events
        if self.also:
            body["also"] = self.also
        if self.origin:
            body["origin"] = self.origin
        return body
