"""The operator of a fleet with one device: publishes bundles, deploys them, and hears what it reports."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

from agent.clock import SystemClock
from agent.documents import desired, reported
from agent.documents.desired import Desired, Maintenance, Probation, Wanted
from agent.documents.keys import TARGET as KEYS
from agent.link import topics
from agent.link.mqtt import Link
from agent.link.settings import LinkMessage, LinkSettings, LinkUp, Message
from agent.slots import Change, SlotRow
from agent.store.outbox import Outbox
from agent.trust.signing import Signer, Verifier, generate
from tests.simulators import moody_backend, tiny_models
from tests.simulators.ear import Ear
from tests.simulators.moody_bundles import bundle
from tests.simulators.retained import Retained, send
from tests.simulators.tuf_fleet import TufFleet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Self

    from agent.documents.reported import Reported, Standing
    from agent.slots import Slot
    from tests.simulators.commander import Key

FLEET, DEVICE = "default", "device"
QUICK = Probation(frames=10, seconds=0.1, failed=0.1, slower=100.0)
HASTE = """\
import functools
from dataclasses import replace
from agent.boards import matching as boards
from agent.activation import fetching, mail, manager, reporting
mail._TAKEN = 1
reporting._PAUSE_S = 0.05
fetching._FIRST_S = fetching._TICK_S = 0.2
fetching._SILENT_S = 4.0
manager.Setting = functools.partial(manager.Setting, retry_s={retry_s})
choose = boards.choose
def chosen(*those):
    found = choose(*those)
    return replace(found, profile=found.profile.model_copy(update=dict(swap={swap!r})))
boards.choose = chosen
"""
"""What an agent runs first that is to lose no time: its waits are for networks and machines in trouble."""


class Operator:
    """Has a repository, a control key, and the broker's ear.

    Args:
        folder: where the device's keys and root are written.
        port: the broker's.
        keys: who else may sign what.

    Attributes:
        repository: what is published with ``publish``.
        generation: of the desired state that was deployed last.
    """

    def __init__(self, folder: Path, port: int, *keys: Key) -> None:
        self._folder, self._port = folder, port
        self.repository = TufFleet()
        private, public = generate()
        self._control = Signer.from_pem(private)
        ours = {"pem": public.decode(), "scopes": ["desired"]}
        document = {"v": 1, "keys": [ours, *(key.entry for key in keys)]}
        self.repository.add_document(KEYS, json.dumps(document).encode())
        for name in ("device", "collector"):
            pair = generate()
            for ending, pem in zip(("key", "pub"), pair, strict=True):
                path = folder / f"{name}.{ending}"
                path.write_bytes(pem)
                path.chmod(0o600)
        (folder / "1.root.json").write_bytes(self.repository.root)
        self._device = Verifier.from_pem((folder / "device.pub").read_bytes())
        self._retained = Retained(port, FLEET)
        self._settings = LinkSettings("127.0.0.1", port, "operator", protocol="3.1.1")
        self._ear = Ear()
        self.generation = 0
        self.reports: list[Reported] = []

    def __enter__(self) -> Self:
        settings = LinkSettings("127.0.0.1", self._port, "operators-ear")
        topic = topics.up_reported(FLEET, DEVICE)
        self._link = Link(settings, post=self._ear.post, subscriptions=((topic, 1),))
        self._link.start()
        self._ear.wait(LinkUp)
        return self

    def __exit__(self, *_: object) -> None:
        self._link.close()

    def tables(self, **models: object) -> str:
        """The device's configuration, as far as it is the operator's."""
        more = "".join(f"{key} = {json.dumps(value)}\n" for key, value in models.items())
        return (
            f'[device]\nid = "{DEVICE}"\n[mqtt]\nhost = "127.0.0.1"\nport = {self._port}\nfleet = "{FLEET}"\n'
            f'[trust]\ndevice_key = "device.key"\ncollector_key = "collector.pub"\n'
            f'[models]\nroot = "1.root.json"\n{more}'
        )

    def add(
        self, name: str, version: str = "1", manifest: dict[str, Any] | None = None, **behaviour: Any
    ) -> str:
        """Put a bundle of the moody backend into the repository; give its digest."""
        content = tiny_models.absolute() + moody_backend.MARK + json.dumps(behaviour).encode()
        fields = {"task": "tensor", **(manifest or {})}
        return self.repository.add_bundle(name, version, {"m.tflite": content}, **fields)

    def publish(self) -> None:
        """Have the broker hold what is in the repository."""
        self._retained.show(self.repository.files())

    def deploy(
        self,
        probation: Probation = QUICK,
        generation: int = 0,
        overrides: dict[str, Any] | None = None,
        maintenance: Maintenance | None = None,
        **models: str,
    ) -> int:
        """Sign and send what the pipelines shall run, "name@version" for each; with what, and when."""
        self.generation = generation or self.generation + 1
        wanted = {}
        for pipeline, model in models.items():
            name, _, version = model.partition("@")
            wanted[pipeline] = Wanted(name=name, version=version or "1")
        document = Desired(
            fleet=FLEET,
            device=DEVICE,
            generation=self.generation,
            models=wanted,
            probation=probation,
            overrides=overrides or {},
            maintenance=maintenance,
        )
        self.say(desired.encode(document, self._control))
        return self.generation

    def say(self, payload: bytes) -> None:
        """Send a desired state as it is."""
        send(self._settings, [Message(topics.down_desired(FLEET, DEVICE), payload, 1, retain=True)])

    def until(
        self, condition: Callable[[Standing], bool], pipeline: str = "door", timeout_s: float = 60.0
    ) -> Standing:
        """Wait for a report of the deployed generation whose standing fits."""
        if self.reports and self._fits(self.reports[-1], condition, pipeline):
            return self.reports[-1].pipelines[pipeline]
        while True:
            try:
                message = self._ear.wait(LinkMessage, timeout_s)
            except AssertionError as error:
                last = self.reports[-1].pipelines if self.reports else "none"
                raise AssertionError(f"{error}; the last report of the device: {last}") from error
            if not message.payload:
                continue
            report = reported.decode(message.payload, self._device, fleet=FLEET, device=DEVICE)
            self.reports.append(report)
            if self._fits(report, condition, pipeline):
                return report.pipelines[pipeline]

    def until_settings(self, state: str, timeout_s: float = 60.0) -> Reported:
        """Wait for a report of the deployed generation whose settings stand there."""
        while True:
            if self.reports:
                last = self.reports[-1]
                if (last.settings.state, last.settings.generation) == (state, self.generation):
                    return last
            message = self._ear.wait(LinkMessage, timeout_s)
            if message.payload:
                self.reports.append(
                    reported.decode(message.payload, self._device, fleet=FLEET, device=DEVICE)
                )

    def until_state(self, state: str, pipeline: str = "door", timeout_s: float = 60.0) -> Standing:
        """Wait until a pipeline stands there."""
        return self.until(lambda standing: standing.state == state, pipeline, timeout_s)

    def _fits(self, report: Reported, condition: Callable[[Standing], bool], pipeline: str) -> bool:
        return report.pipelines[pipeline].generation == self.generation and condition(
            report.pipelines[pipeline]
        )


def moody_program(
    folder: Path, prelude: str = "", *, retry_s: float = 0.3, swap: str = "resident"
) -> list[str]:
    """Give the command line of an agent in haste, whose workers have the moody backend.

    Args:
        folder: where the backend is installed, in "plugins".
        prelude: what its children run first.
        retry_s: how long it waits after a first strike.
        swap: how its profile changes models.
    """
    python = moody_backend.installed(folder / "plugins", prelude)
    start = f"import sys; sys.executable = {python!r}; from agent.cli.main import main; sys.exit(main())"
    return [sys.executable, "-c", HASTE.format(retry_s=retry_s, swap=swap) + start]


def settle(data: Path, pipeline: str = "door", **slots: int) -> dict[str, str]:
    """Give a device that does not run bundles in these slots, as if they had been there for long.

    Args:
        data: its data folder.
        pipeline: whose slots.
        slots: what the model in each answers.

    Returns:
        The bundles' digests, by slot. The models are named "one", "two" and so on, by what they answer.
    """
    names = ("none", "one", "two", "three")
    found: dict[str, str] = {}
    rows = []
    slot: Slot
    for slot in ("active", "previous"):
        if slot in slots:
            name = names[slots[slot]]
            _, found[slot] = bundle(data / "models" / "bundles", name, None, value=slots[slot])
            rows.append(SlotRow(pipeline, slot, found[slot], name, "1", slot))
    with closing(Outbox(data, clock=SystemClock())) as outbox:
        outbox.change(Change(put=tuple(rows)), 0, synced=False)
    return found
