"""What a worker is to do; it arrives in a memfd, since a list of images can be long."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from agent.config.media import Media
from agent.config.pipelines import Plugin, Stage
from agent.config.preparing import PreTable
from agent.picks import Pick
from agent.pictures import Health, Region


class Eased(BaseModel):
    """How a pipeline does with less, while the board is hot or short of memory."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    threads: int = Field(default=0, ge=0, le=64)
    """The most threads of an inference; 0 for as many as are configured."""
    variant: str = ""
    """The bundle's variant that serves, of a bundle that has it; "" for its model."""


class LaneSpec(BaseModel):
    """A pipeline, as its worker is told of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pipeline: str
    model: str
    folder: str = ""
    """Where relative paths of models, labels and sources start; "" for the current folder."""
    task: str = ""
    decoder: dict[str, Any] = {}
    labels: str = ""
    pre: PreTable = {}
    """How input is prepared for a model without a manifest; empty, as any input of its kind."""
    backend: str = "tflite"
    backend_options: dict[str, Any] = {}
    tunable: bool = False
    """Whether the tuner's choices may go over the backend's options: where nobody has set any of them."""
    tuned: tuple[Pick, ...] = ()
    """What the tuner has chosen on this board, for models that may come."""
    gates: tuple[Plugin, ...] = ()
    """Which frames are worth an inference."""
    stages: tuple[Stage, ...] = ()
    """Further models of each frame."""
    filters: tuple[Plugin, ...] = ()
    """What each result passes, in this order."""
    media: Media | None = None
    """Which events get a snapshot or a clip; None for none."""
    remote_snapshots: bool = False
    """Whether the supervisor may ask for a picture."""
    source: str
    source_options: dict[str, Any] = {}
    source_name: str = ""
    """What the configuration calls the source; "" where it has no name."""
    apart: bool = False
    """Whether another process reads the source, and the worker gets its frames from there."""
    health: Health | None = None
    """Which faults of the camera are looked for; None for none."""
    privacy: tuple[Region, ...] = ()
    """What is hidden in each frame before anything else sees it."""
    veiled: tuple[Region, ...] = ()
    """What is hidden already when the frame comes: by the process that reads the source."""
    max_rate: float = 0
    """Frames a second at most; 0 for all that the source gives."""
    start: int = 0
    """The first frame's sequence number."""
    once: bool = False
    """Fail when the source isn't there, in place of trying again, and drop no frame: `check` and `infer`."""
    limit: int = 0
    """Stop after so many frames: `check`, `infer`; 0 for no limit."""
    draw: str = ""
    """A folder for annotated pictures, or ""."""
    confine: bool = True
    """Whether the worker gives up what it does not need, before it opens anything."""
    hidden: tuple[str, ...] = ()
    """Paths that stay closed wherever they stand: the data folder, keys, the configuration."""
    devices: tuple[str, ...] = ()
    """Device nodes of this board, which any backend may open."""
    digest: str = ""
    """The digest that the model's bundle must have; "" where nobody has vouched for one."""
    bundles: str = ""
    """The folder of proved bundles, which the worker may read although the data folder is hidden; or ""."""
    eased: Eased = Eased()
    """How it does with less."""
    prove: bool = False
    """Prove the model in place of serving: golden answers, budget, contract; then say `proved` and end."""
    serving_task: str = ""
    """For a proof: the task of the model that serves now, which the new one must have, too; "" for any."""
    accelerated: bool = False
    """Whether the board may have an accelerator: a model without a version for the CPU waits for that."""
    lent: bool = False
    """For a proof: whether an accelerator is lent for it, which the model is to be proved on."""
