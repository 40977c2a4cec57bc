"""The tables of the configuration file, with what each key means: the docs and the JSON Schema say the same.

Options of sources, backends and decoders are open here: they belong to their plugins, and the worker that
loads a plugin validates them (docs/adr/0001).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from agent.config import addresses
from agent.config.base import Name, Table


class Device(Table):
    """Who this device is."""

    id: str = Field(default="", pattern=r"^([a-z0-9][a-z0-9_-]{0,62})?$")
    """The device's name in topics and records; the host's name when empty."""
    groups: tuple[Name, ...] = Field(default=(), max_length=16)
    """Groups that the device belongs to: commands to one of them are for it, too."""


class Mqtt(Table):
    """The broker that results go to. Without this table nothing is sent; results wait in the store."""

    host: str = Field(min_length=1)
    """Name or address of the broker."""
    port: int = Field(default=1883, ge=1, le=65535)
    """The broker's port."""
    fleet: Name = "default"
    """The fleet: the second level of every topic."""
    protocol: Literal["auto", "5", "3.1.1"] = "auto"
    """Which MQTT to speak; `auto` tries 5 first."""
    username: str = ""
    """User name for the broker."""
    password: SecretStr = SecretStr("")
    """Password; better given as the systemd credential `mqtt-password`."""
    tls: bool = False
    """Encrypt, and check the broker's certificate against the system's authorities."""
    ca_file: str = ""
    """The certificate authority to check it against; switches TLS on. Or the systemd credential `mqtt-ca`."""
    cert_file: str = ""
    """This device's certificate, for mutual TLS; or the systemd credential `mqtt-certificate`."""
    key_file: str = ""
    """This device's private key, for mutual TLS; or the systemd credential `mqtt-key`."""
    keepalive_s: int = Field(default=30, ge=5, le=3600)
    """Seconds of silence after which both ends test the link."""
    resend_s: float = Field(default=10.0, ge=1, le=3600)
    """Seconds without an acknowledgement after which waiting batches are sent again."""

    max_bytes_per_s: int = Field(default=0, ge=0)
    """The most bytes a second to send; 0 sends as fast as the link and the collector take it."""

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Mqtt:
        if bool(self.cert_file) != bool(self.key_file):
            raise ValueError("cert_file and key_file go together")
        if self.cert_file and not (self.ca_file or self.tls):
            raise ValueError("cert_file needs tls = true, or ca_file, which switches TLS on")
        return self

    reconnect_max_s: float = Field(default=60.0, ge=1, le=3600)
    """The longest wait between two attempts to connect; the waits grow, with jitter."""
    session_h: float = Field(default=168.0, ge=0, le=8760)
    """Hours for which the broker keeps commands for a device that is away; 0: it keeps none."""


class Trust(Table):
    """Who signs, and whose word counts. With a broker, either both keys are given, or `unsigned` is set."""

    device_key: str = ""
    """This device's private key, which signs what it sends; or the systemd credential `device-key`."""
    collector_key: str = ""
    """The collector's public key, which its acknowledgements must be signed with; or `collector-key`."""
    unsigned: bool = False
    """Neither sign nor check signatures: whoever reaches the broker can have undelivered results deleted."""


class Models(Table):
    """Models from the fleet's operator, signed, over MQTT. Without `root` only configured models run."""

    root: str = ""
    """The fleet's root metadata, `1.root.json`: what all trust starts from; or the credential `tuf-root`."""
    mirror: str = ""
    """An HTTPS address where the same files lie, for brokers that cannot hold models."""

    @field_validator("mirror")
    @classmethod
    def _mirror_is_an_address(cls, value: str) -> str:
        if value:
            addresses.web(value)
        return value

    max_bytes: int = Field(default=1 << 30, ge=1 << 20)
    """The most bytes of bundles on disk, besides those that serve."""
    refresh_h: float = Field(default=24.0, ge=0.1, le=744)
    """Hours between two looks at the update metadata; a hint from the operator makes it look at once."""
    window: int = Field(default=4, ge=1, le=16)
    """Chunks that are asked for at a time."""


class Store(Table):
    """Where results stand until the collector has them."""

    path: str = ""
    """The data folder; `$STATE_DIRECTORY` or `~/.local/state/edge-agent` when empty."""
    commit_interval_s: float = Field(default=0.5, ge=0.01, le=60)
    """The longest that a result waits for its commit."""
    block_results: int = Field(default=64, ge=1, le=4096)
    """A commit is made at the latest after so many results."""
    segment_bytes: int = Field(default=16 << 20, ge=64 << 10, le=1 << 30)
    """Size at which a segment file is closed and the next begun; at most a sixteenth of `max_bytes`."""
    max_bytes: int = Field(default=1 << 30, ge=1 << 20)
    """The most bytes on disk. Beyond it the oldest goes: metrics first, then results, then alerts."""
    max_age_h: float = Field(default=0, ge=0)
    """Hours, of those that the agent ran, after which a record goes; 0 keeps it until it is delivered."""
    ballast_bytes: int = Field(default=8 << 20, ge=0, le=1 << 30)
    """A file that is given up when the disk is full, so that deleting works; 0 makes none."""
    media_max_bytes: int = Field(default=256 << 20, ge=0)
    """The most bytes of snapshots and clips of events, besides `max_bytes`; the oldest go first."""
    memory_bytes: int = Field(default=8 << 20, ge=1 << 20, le=1 << 30)
    """Packed results kept in memory while the disk refuses."""


class Commands(Table):
    """What the fleet's operator may have this device do; who may sign commands, the update metadata says."""

    allow: tuple[Annotated[str, Field(max_length=32)], ...] = Field(default=("*",), max_length=64)
    """The commands that are obeyed; `*` stands for all. `ping` and `status` are always answered."""
    deny: tuple[Annotated[str, Field(max_length=32)], ...] = Field(default=(), max_length=64)
    """Commands that are refused, whatever `allow` says."""
    expire_s: float = Field(default=86400.0, ge=1, le=31 * 86400)
    """The longest that a command may be valid, from its issue to its expiry."""


class Host(Table):
    """What the agent may ask of the machine, through its helper, `edge-agent-host.service`."""

    reboot: bool = False
    """The operator may reboot the machine."""
    update: bool = False
    """The operator may install another release of the agent."""
    folder: str = ""
    """Where requests to the helper stand; `host` in the data folder when empty. It outlives the agent."""
    helper: str = ""
    """Where the helper answers; `/var/lib/edge-agent-host` when empty."""


class HomeAssistant(Table):
    """Sensors for Home Assistant, found by its MQTT discovery; off unless it is wanted."""

    enabled: bool = False
    """Publish what Home Assistant needs to show this device."""
    prefix: str = Field(default="homeassistant", min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_/-]+$")
    """The discovery prefix that Home Assistant listens to."""
    every_s: float = Field(default=10.0, ge=1, le=3600)
    """Seconds between two states of the sensors, at least."""


_OFTENEST_S = {"interval_s": 0.1, "vitals_s": 1.0}


class Metrics(Table):
    """What the agent records of itself, into the stream that is sent last and evicted first."""

    interval_s: float = Field(default=60.0, ge=0, le=86400)
    """Seconds between two records of metrics; 0 records none."""
    vitals_s: float = Field(default=60.0, ge=0, le=86400)
    """Seconds between two words on how the device does, kept by the broker for `edgectl status`; 0: none."""

    @field_validator("interval_s", "vitals_s")
    @classmethod
    def _not_all_the_time(cls, value: float, info: ValidationInfo) -> float:
        least = _OFTENEST_S[info.field_name or ""]
        if 0 < value < least:
            raise ValueError(f"should be 0, or {least:g} at least")
        return value


Measure = Literal["rate", "threads", "variant", "pause"]
"""What a pipeline can do without, by name."""


class Governor(Table):
    """How the agent does with less before the board's own limit: when it is hot, or short of memory."""

    heat: tuple[Measure, ...] = Field(default=("rate", "threads", "variant", "pause"), max_length=8)
    """What is done about heat, in this order; empty for nothing."""
    memory: tuple[Measure, ...] = Field(default=("variant", "pause"), max_length=8)
    """What is done about a shortage of memory, in this order; empty for nothing."""
    rates: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        default=(0.5, 0.25), min_length=1, max_length=8
    )
    """The shares of a pipeline's own frame rate that `rate` goes through, a rung each."""
    soft_c: float | None = Field(default=None, ge=0, le=150)
    """From here on less is done, degrees Celsius; the device profile's when left out."""
    hard_c: float | None = Field(default=None, ge=0, le=150)
    """Here everything is done at once; the device profile's when left out."""
    memory_free: float = Field(default=0.1, ge=0, le=0.9)
    """The share of the memory that should be free; with a quarter of it everything is done at once."""
    memory_pressure: float = Field(default=20, gt=0, le=100)
    """Per cent of the time in which some process may wait for memory."""
    look_s: float = Field(default=2, ge=0.05, le=60)
    """Seconds between two looks at the board."""
    dwell_s: float = Field(default=10, ge=0.05, le=3600)
    """The least time between two steps; a quarter of it when the limit is near."""
    cool_s: float = Field(default=60, ge=0.1, le=86400)
    """How long the board must have been calm before a step is taken back."""
    horizon_s: float = Field(default=30, ge=0.1, le=3600)
    """A limit that would be reached within this time, as fast as it warms up now, is near."""

    @model_validator(mode="after")
    def _soft_before_hard(self) -> Governor:
        if self.soft_c is not None and self.hard_c is not None and self.soft_c >= self.hard_c:
            raise ValueError("soft_c must be below hard_c")
        return self


class Control(Table):
    """The local socket that `edge-agent status` asks."""

    path: str = ""
    """The socket's path; `$RUNTIME_DIRECTORY/agent.sock` or `agent.sock` in the data folder when empty."""


class Deadlines(Table):
    """How long a worker may stay in one phase before it is killed and started again; seconds."""

    start_s: float = Field(default=60, gt=0, le=86400)
    """From the start of the process to its first word."""
    load_s: float = Field(default=60, gt=0, le=86400)
    """Loading the model and its first inference."""
    open_s: float = Field(default=30, gt=0, le=86400)
    """Opening the source."""
    capture_s: float = Field(default=15, gt=0, le=86400)
    """One read of the source."""
    invoke_s: float = Field(default=10, gt=0, le=86400)
    """Preprocessing, inference or decoding of one frame."""
    learn: bool = True
    """Let an inference take only 10 times the 99th percentile of those before it, where that is less."""
    invoke_floor_s: float = Field(default=0.5, gt=0, le=86400)
    """What an inference may always take, whatever was learned: a busy machine is no hang."""


class Log(Table):
    """What is logged, to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important level that is written."""
