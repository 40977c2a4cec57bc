"""How an MQTT broker is reached, and what is subscribed to there: the part of a source's options."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator


def _is_filter(value: str) -> str:
    """Check a topic filter (MQTT 3.1.1, section 4.7.1)."""
    levels = value.split("/")
    for at, level in enumerate(levels):
        if ("#" in level and (level != "#" or at != len(levels) - 1)) or ("+" in level and level != "+"):
            raise ValueError("it is no topic filter: # stands at the end, and # and + for whole levels")
    return value


Filter = Annotated[
    str,
    StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00-\x1f]+$"),
    AfterValidator(_is_filter),
]


class Broker(BaseModel):
    """A broker, and a subscription."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    host: str = Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9][A-Za-z0-9.:_-]*$")
    """The broker's name or address."""
    port: int | None = Field(default=None, ge=1, le=65535)
    """Its port; without it 1883, or 8883 with `tls`."""
    topics: tuple[Filter, ...] = Field(min_length=1, max_length=32)
    """What is subscribed to, such as `plant/pump/accel` or `plant/+/accel`; each message is a sample."""
    qos: int = Field(default=0, ge=0, le=1)
    """1 has the broker send a message again that was not confirmed."""
    client_id: str = Field(default="", max_length=64, pattern=r"^[A-Za-z0-9._-]*$")
    """What the broker calls this subscriber; empty: a name made by chance."""
    tls: bool = False
    """Encrypt, and check the broker's certificate and name."""
    ca_file: str = Field(default="", max_length=4096)
    """The authority that vouches for the broker; empty: those that this machine trusts."""
    cert_file: str = Field(default="", max_length=4096)
    """Our own certificate, where the broker wants one."""
    key_file: str = Field(default="", max_length=4096)
    """Its private key; empty: it stands in `cert_file`."""
    keepalive_s: int = Field(default=2, ge=1, le=3600)
    """Seconds without a word from the broker after which it is asked; after as many more it is lost."""

    @model_validator(mode="after")
    def _files_are_for_tls(self) -> Self:
        if not self.tls and (self.ca_file or self.cert_file or self.key_file):
            raise ValueError("ca_file, cert_file and key_file are for tls = true")
        return self

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return self.host, self.port or (8883 if self.tls else 1883)
