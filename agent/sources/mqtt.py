"""A sensor that publishes to an MQTT broker: each message is a sample.

Its worker is the only one that loads the MQTT library, and with it ssl; no other source may.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from agent.sources.sampling import payloads
from agent.sources.sampling.broker import Broker
from agent.sources.sampling.cutting import Resampling
from agent.types import Needs

if TYPE_CHECKING:
    from agent.sources.sampling.sensor import Sensor


def _is_pointer(value: str) -> str:
    payloads.tokens(value)
    return value


Pointer = Annotated[str, StringConstraints(max_length=200), AfterValidator(_is_pointer)]


class Options(Broker, Resampling):
    """Which broker, which messages, and how they are read."""

    channels: tuple[Pointer, ...] = Field(default=(), max_length=64)
    """The numbers of a sample, in this order, as JSON pointers into the message: `/accel/x`."""
    pattern: str = Field(default="", max_length=1000)
    """A regular expression that a whole message fits; each named group is a channel, in this order."""
    login: str = Field(default="", max_length=4096)
    """A file with one line, `user:password`; empty: no login."""
    silence_s: float = Field(default=10.0, ge=0.5, le=86400)
    """Seconds without a sample after which the sensor counts as lost, and is subscribed to again."""

    @model_validator(mode="after")
    def _is_one_of_three(self) -> Self:
        if self.channels and self.pattern:
            raise ValueError("give channels for JSON, or pattern for text, or neither for a number")
        try:
            groups = re.compile(self.pattern).groupindex
        except re.error as error:
            raise ValueError(f"pattern is no regular expression: {error}") from error
        if self.pattern and not groups:
            raise ValueError("pattern names no channel: write (?P<name>...) around each number")
        return self


def needs(options: Options) -> Needs:
    """Say what it reaches: the network, and the files for its login and TLS."""
    files = (options.login, options.ca_file, options.cert_file, options.key_file)
    return Needs(read=tuple(one for one in files if one), network=True)


def build(options: Options, *, start: int) -> Sensor:
    """Subscribe; the first window is number ``start``.

    Raises:
        SourceLost: the broker is away or refuses us, or the files for TLS cannot be used.
        InputRejected: ``mean`` or ``std`` do not fit, or ``login`` holds no name and password.
    """
    from agent.sources.sampling import mqtt
    from agent.sources.sampling.sensor import Sensor
    from agent.sources.sampling.windows import Windows
    from agent.sources.web.login import read_login

    reader: mqtt.Reader
    if options.pattern:
        reader = payloads.Text(options.pattern)
    elif options.channels:
        reader = payloads.Json(options.channels)
    else:
        reader = payloads.Number()
    windows = Windows(options, options.rate, reader.channels)
    login = read_login(options.login).pair if options.login else None
    feed = mqtt.Subscriber(options, login, reader)
    hint = "See that channels or pattern fit what is published, or set max_gap_s for a sensor that is slower"
    silent = "Check topics, and that something is published there (retained messages do not count)"
    return Sensor(feed, windows, start, silence_s=options.silence_s, hint=hint, silent=silent)
