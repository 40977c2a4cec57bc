"""The tables of pipelines in the configuration file: source, model, and what stands before and after it.

Options of plugins are open here: they belong to the plugins, and the worker that loads one validates them
(docs/adr/0001).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from agent.config.base import EventName, Name, Table
from agent.config.media import Media
from agent.config.preparing import PreTable
from agent.pictures import Health, Region


class Plugin(BaseModel):
    """A plugin by its kind; the other keys are the plugin's own options."""

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True)

    kind: str
    """Which plugin: a module of the agent, or an entry point."""

    @property
    def options(self) -> dict[str, Any]:
        """The plugin's own options, not validated yet."""
        return dict(self.__pydantic_extra__ or {})


class NamedSource(Plugin):
    """A source with a name, for one pipeline or several; it is opened once."""

    name: Name
    """The source's name, which pipelines refer to."""
    health: Health | None = None
    """What `health` of a pipeline that uses it is, where the pipeline does not say."""
    privacy: tuple[Region, ...] = Field(default=(), max_length=32)
    """Regions that are hidden for every pipeline that uses it, before those of the pipeline's own."""


def _how_given(source: Any) -> str:
    return "name" if isinstance(source, str) else "table"


class Backend(Plugin):
    """What runs the model."""

    kind: str = "tflite"
    """Which backend: "tflite"."""


class Modelled(Table):
    """What is said of a model, of a pipeline's own or of a further one."""

    task: str = ""
    """The decoder, when the model's manifest does not say or should not decide."""
    decoder: dict[str, Any] = Field(default_factory=dict)
    """Options of the decoder, over those of the manifest."""
    labels: str = ""
    """A file with one class name a line, over those of the model."""
    pre: PreTable = Field(default_factory=dict)
    """How input is prepared for a model that comes without a manifest; its keys are those of a manifest's."""


class Stage(Modelled):
    """A further model of each frame, after the first one."""

    name: Name
    """The stage's name, under which its results stand in `also`: of the items, or of the frame."""
    model: str = Field(min_length=1)
    """A bundled model's name, a bundle's folder or a .tflite file; relative to the configuration file."""
    crops: tuple[str, ...] | None = Field(default=None, min_length=1, max_length=64)
    """Labels of the items whose crops it is given, `"*"` for all; without it, it is given the whole frame."""
    most: int = Field(default=4, ge=1, le=32)
    """How many crops of a frame at most: of the items that score highest."""
    min_score: float = Field(default=0, ge=0, le=1)
    """Items that score less have no crop."""
    margin: float = Field(default=0.1, ge=0, le=2)
    """How much larger than the item's box a crop is: on each side by this share of the box."""
    threads: int = Field(default=0, ge=0, le=16)
    """CPU threads of an inference; 0 for as many as the pipeline's own model has."""


class Pipeline(Modelled):
    """One model on one source, in a worker process of its own."""

    name: Name
    """The pipeline's name in results, status and topics."""
    model: str
    """A bundled model's name, a bundle's folder or a .tflite file; relative to the configuration file. With
    `models.root` it may be empty: then the pipeline waits for the operator's first model."""
    source: Annotated[
        Annotated[Plugin, Tag("table")] | Annotated[str, Tag("name")], Discriminator(_how_given)
    ]
    """Where frames come from: the name of one of `sources`, or `kind` and that source's options."""
    max_rate: float = Field(default=0, ge=0, le=1000, allow_inf_nan=False)
    """Frames a second at most, of those that the source gives; 0 for all."""
    health: Health | None = None
    """Which faults of the camera are looked for: `{}` for all, as they are defined; without it, none."""
    privacy: tuple[Region, ...] = Field(default=(), max_length=32)
    """Regions of each frame that are hidden before anything else sees it."""
    backend: Backend = Backend()
    """What runs the model: `kind` and that backend's options."""
    gates: tuple[Plugin, ...] = Field(default=(), max_length=8)
    """Which frames are worth an inference: gates, each by its `kind`; all of them must let a frame pass."""
    stages: tuple[Stage, ...] = Field(default=(), max_length=8)
    """Further models of the frame, or of the crops of what the first has found; they run on the CPU."""
    filters: tuple[Plugin, ...] = Field(default=(), max_length=32)
    """What each result passes before it is stored, in this order: filters, each by its `kind`."""
    media: Media | None = None
    """Which events get a snapshot of their frame, or a clip; without it, none."""
    remote_snapshots: bool = False
    """Whether the fleet's operator may ask for a picture of what the pipeline sees, after `privacy`."""
    priority: Literal["low", "normal", "high"] = "normal"
    """`high` makes its results alerts: stored at once, sent first, the last to go when the disk fills up.
    `low` is paused when the board is too hot or short of memory, after everything else was tried."""
    alert_on: tuple[EventName, ...] = Field(default=(), max_length=32)
    """Events that make a result an alert: one that carries any of them is sent first and goes last. `*` is
    any event. Other results of the pipeline are not touched."""
    confine: Literal["full", "off"] = "full"
    """`off` lets the worker reach whatever the agent's user may: for a vendor's library that needs more."""
