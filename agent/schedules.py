"""When something holds: days of the week and times of the day, in a time zone; pure, the time is given."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator

from agent.clock import RELEASED_NS

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = get_args(Day)
_CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
Begin = Annotated[str, Field(pattern=_CLOCK)]
"""Hours and minutes: "07:30"."""
End = Annotated[str, Field(pattern=f"{_CLOCK}|^24:00$")]
"""Likewise; "24:00" is the end of the day."""


class Window(BaseModel):
    """Times of the day, on some days."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    days: tuple[Day, ...] = Field(default=DAYS, min_length=1, description="the days on which it begins")
    begin: Begin = Field(default="00:00", description="when it begins, local time")
    end: End = Field(default="24:00", description="when it is over; no later than `begin`: on the day after")

    def holds(self, at: datetime) -> bool:
        """Whether a local time lies in it; its end does not."""
        minute, today = at.hour * 60 + at.minute, at.weekday()
        begin, end = _minutes(self.begin), _minutes(self.end)
        if begin < end:
            return DAYS[today] in self.days and begin <= minute < end
        began_today = DAYS[today] in self.days and minute >= begin
        return began_today or (DAYS[today - 1] in self.days and minute < end)


class Schedule(BaseModel):
    """Windows of time; the options of the gate and of the filter of that name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    windows: tuple[Window, ...] = Field(min_length=1, max_length=64, description="when it is open")
    zone: str = Field(
        default="",
        max_length=64,
        description="the time zone, such as `Europe/Berlin`; empty: the machine's own",
    )
    unset: Literal["open", "closed"] = Field(
        default="open", description="what it is while the machine's clock was never set"
    )

    @field_validator("zone")
    @classmethod
    def _is_known(cls, zone: str) -> str:
        if zone:
            try:
                ZoneInfo(zone)
            except (ZoneInfoNotFoundError, OSError, ValueError) as error:
                raise ValueError("there is no such time zone on this machine") from error
        return zone

    def is_open(self, wall_ns: int) -> bool:
        """Whether it is open at this time, nanoseconds since 1970-01-01 UTC."""
        if wall_ns < RELEASED_NS:
            return self.unset == "open"
        at = datetime.fromtimestamp(wall_ns // 1_000_000_000, UTC)
        local = at.astimezone(ZoneInfo(self.zone) if self.zone else None)
        return any(window.holds(local) for window in self.windows)


def _minutes(time: str) -> int:
    hours, minutes = time.split(":")
    return int(hours) * 60 + int(minutes)
