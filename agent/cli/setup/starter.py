"""The text of a first configuration: what was found on this machine, with comments that teach. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.sources.v4l2.devices import told

if TYPE_CHECKING:
    from agent.boards.matching import Recognised
    from agent.boards.profiles import Profile
    from agent.sources.v4l2.devices import Camera


@dataclass(frozen=True, slots=True)
class Found:
    """What ``init`` has found, and what it was told.

    Attributes:
        device: the name that this device gets.
        board: the device profile, and why it is that one.
        runtime: name and version of what runs models, or "".
        cameras: all that are plugged in, those that cannot be used with their problem.
        model: what the pipelines run.
        broker: the broker's name, or "".
        keys: the folder of keys beside the configuration that has this device's, or "".
        root: the fleet's root metadata, relative to the configuration, or "".
        schema: file name of the JSON Schema beside the configuration.
    """

    device: str
    board: Recognised
    runtime: str
    cameras: tuple[Camera, ...]
    model: str
    broker: str
    keys: str
    schema: str
    root: str = ""

    @property
    def profile(self) -> Profile:
        """The board's profile."""
        return self.board.profile

    @property
    def usable(self) -> tuple[Camera, ...]:
        """The cameras that a pipeline can read."""
        return tuple(camera for camera in self.cameras if not camera.problem)


_HEAD = """\
#:schema ./{schema}
# The configuration of this device, written by `edge-agent init`; docs/configuration.md explains every key.
#   edge-agent check --config FILE     tests it, up to one frame of each pipeline
#   edge-agent run --config FILE       runs it until it is stopped

# The board is recognised by itself; here: {profile}.
profile = "auto"

[device]
# This device's name in topics and results: unique in its fleet.
id = {device}
"""
_NO_BROKER = """
# Without a broker results wait on the disk. Take the signs away, and name yours:
#[mqtt]
#host = "broker.example"
#fleet = "default"        # `edgectl collect --fleet default` stores what comes
#tls = true               # encrypt, on the broker's port for it:
#port = 8883
#[trust]                  # the keys that `edgectl init keys --device ID` makes:
#device_key = "device.key"
#collector_key = "collector.pub"
#[models]                 # and the root of trust in models, which it makes, too: tuf/meta/1.root.json
#root = "root.json"
"""
_BROKER = """
[mqtt]
host = {broker}
fleet = "default"         # `edgectl collect --fleet default` stores what comes
#tls = true               # encrypt, on the broker's port for it:
#port = 8883
#username = ""            # the password comes as the systemd credential mqtt-password
"""
_KEYS = """
[trust]
# Results and acknowledgements are signed with the keys that `edgectl init` made:
device_key = {device_key}
collector_key = {collector_key}
"""
_MODELS = """
[models]
# Models that the fleet's operator signs and deploys come over MQTT; trust in them starts from this file:
root = {root}
"""
_UNSIGNED = """
[trust]
# Results and acknowledgements are signed with keys that `edgectl init keys --device ID` makes:
#device_key = "device.key"
#collector_key = "collector.pub"
# Without them whoever reaches the broker can have undelivered results deleted. To begin with:
unsigned = true
"""
_STORE = """
#[store]
#path = "/var/lib/edge-agent"     # where results stand until they are delivered
"""
_MODEL = """
# A pipeline is one model on one source. `model` is a bundled model, a bundle's folder or a .tflite file; the
# last needs a `task` beside it, which says what its outputs mean: classification, detection, tensor, ...
"""
_SYNTHETIC = """
[[pipelines]]
name = "camera"
model = {model}

# No camera was found that can be used. This one is drawn, and needs no hardware.
[pipelines.source]
kind = "synthetic"
scene = {scene}          # what it shows: "shapes" for a detector, "glyph" for a classifier
width = 640
height = 480
fps = 30
"""
_SENSOR = """
# A sensor that needs no hardware either, and the model that hears when its machine begins to shake:
#[[pipelines]]
#name = "pump"
#model = "vibration"
#source = {{ kind = "synthetic_sensor" }}
"""
_ELSE = """
# A camera on the network, whose path its maker chose (docs/cameras.md); yard.login holds user:password.
#[[pipelines]]
#name = "yard"
#model = {model}
#source = {{ kind = "rtsp", url = "rtsp://192.0.2.20/stream1", login = "yard.login" }}

# `edge-agent sources` prints such lines for whatever is plugged in: ports, sensors, sound cards, buses.
# A camera that several pipelines use gets a name in [[sources]], where regions can be hidden, too:
# docs/configuration.md and docs/cameras.md.
"""
_CAMERA = """
[[pipelines]]
name = "{name}"
model = {model}

{about}
[pipelines.source]
kind = "camera"
device = {device}
#width = 640              # with height; without both what the camera likes
#height = 480
#fps = 30
#format = "MJPG"          # for large sizes over USB 2; "auto" chooses by size and rate
"""


def compose(found: Found) -> str:
    """Write the configuration: valid as it is, and as long as the cameras stay where they are."""
    tested = "tested" if found.profile.tested else "not tested yet"
    parts = [
        _HEAD.format(
            schema=found.schema, profile=f"{found.board.title} ({tested})", device=_quoted(found.device)
        ),
        *(_link(found) if found.broker else (_NO_BROKER,)),
        _MODELS.format(root=_quoted(found.root)) if found.broker and found.root else "",
        _STORE,
        _MODEL,
    ]
    usable = found.usable
    for number, camera in enumerate(usable, start=1):
        parts.append(_camera("camera" if len(usable) == 1 else f"camera{number}", camera, found))
    if not usable:
        scene = "glyph" if found.model == "glyphs" else "shapes"
        parts.append(_SYNTHETIC.format(model=_quoted(found.model), scene=_quoted(scene)))
    parts += [_commented(_camera("other", camera, found)) for camera in found.cameras if camera.problem]
    if not found.cameras:
        parts.append(_commented(_CAMERA.format(
            name="door", model=_quoted(found.model), device='"/dev/video0"',
            about="# A camera of your own, once it is plugged in:",
        )))  # fmt: skip
    parts += [_ELSE.format(model=_quoted(found.model)), _SENSOR.format()]
    return "".join(parts)


def _link(found: Found) -> tuple[str, str]:
    broker = _BROKER.format(broker=_quoted(found.broker))
    if not found.keys:
        return broker, _UNSIGNED
    device_key = _quoted(f"{found.keys}/devices/{found.device}.key")
    return broker, _KEYS.format(device_key=device_key, collector_key=_quoted(f"{found.keys}/collector.pub"))


def _camera(name: str, camera: Camera, found: Found) -> str:
    about = [f"# {camera.name}, {camera.path}"]
    if camera.problem:
        about.append(f"# It cannot be used: {camera.problem}.")
    about += [f"#   {told((form,), 100)}" for form in camera.formats]
    if camera.formats:
        about.insert(1, "# It can do:")
    if not camera.ids:
        about.append("# It has no stable name in /dev/v4l: with a second camera the number may change.")
    if asked := found.profile.camera.under({}):
        words = ", ".join(f"{key} {value}" for key, value in asked.items())
        about.append(f"# Where nothing is said here the board's profile asks for: {words}.")
    return _CAMERA.format(
        name=name, model=_quoted(found.model), about="\n".join(about), device=_quoted(camera.best_id)
    )


def _commented(text: str) -> str:
    """Turn a block into comments, which stay comments when one sign is taken away from each line."""
    lines = text.splitlines()
    return "\n".join(f"#{line}" if line else line for line in lines) + "\n"


def _quoted(text: str) -> str:
    """Give a TOML string: JSON's escapes are among those of TOML."""
    return json.dumps(text, ensure_ascii=False)
