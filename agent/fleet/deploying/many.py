"""Desired states of many devices: what is known of each, and their publishing in one go."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from agent.documents import reported as reports
from agent.errors import ConfigInvalid, MessageInvalid
from agent.fleet.deploying import wishes
from agent.fleet.keys import DeviceKeys
from agent.fleet.repository import desired
from agent.link import topics
from agent.validation import first_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from agent.documents.desired import Desired
    from agent.documents.reported import Reported
    from agent.fleet.deploying.wishes import Change
    from agent.fleet.repository.repository import Repository
    from agent.fleet.talk import Talk
    from agent.trust.signing import Verifier

_AWAY_S = 60.0


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a device.

    Attributes:
        device: its name.
        wish: what the broker keeps as its desired state, as far as that counts.
        reported: what it says that it runs, as far as that counts.
        notes: why something does not.
    """

    device: str
    wish: Desired | None = None
    reported: Reported | None = None
    notes: tuple[str, ...] = ()


def publish_wishes(
    talk: Talk, repository: Repository, found: Iterable[Desired], step: Callable[[int], object] = int
) -> None:
    """Sign desired states with the control key, and have the broker keep them; all are confirmed at the end.

    Each is kept in the folder before it is sent, so that ``edgectl heal`` sends what a kill has left.

    Args:
        talk: connected.
        repository: open; its folder and control key.
        found: the desired states, made by ``wishes.following``.
        step: told of each confirmed one's bytes.

    Raises:
        ConfigInvalid: the control key is missing, or the passphrase does not open it.
        LinkLost: the broker is away for too long, or refuses one.
        MessageInvalid: one is larger than the broker takes.
        OSError: the disk refuses.
    """
    own, folder = repository.keys.control(), repository.tree.folder
    talk.send(
        (
            (topics.down_desired(wish.fleet, wish.device), functools.partial(desired.keep, folder, wish, own))
            for wish in found
        ),
        _AWAY_S,
        step,
    )


class Reader:
    """Reads what devices and broker say, and proves it.

    Args:
        folder: the operator's.
        fleet: the fleet.
        verifiers: the keys whose desired states count.
        unsigned: believe what devices report without their signature.
    """

    def __init__(self, folder: Path, fleet: str, verifiers: Sequence[Verifier], *, unsigned: bool) -> None:
        self._folder = folder
        self._fleet = fleet
        self._verifiers = verifiers
        self._keys = DeviceKeys(folder, unsigned=unsigned)

    def known(self, device: str, down: bytes | None, up: bytes | None) -> Known:
        """Read what is known of one device.

        Args:
            device: its name.
            down: what the broker keeps for it.
            up: what it has reported.
        """
        wish, bad_wish = desired.read(down, self._verifiers, self._fleet, device)
        reported, bad_report = self.reported(device, up)
        notes = [f"the broker's desired state does not count: {bad_wish}"] if bad_wish else []
        notes += [f"what the device reports does not count: {bad_report}"] if bad_report else []
        return Known(device, wish, reported, tuple(notes))

    def reported(self, device: str, payload: bytes | None) -> tuple[Reported | None, str]:
        """Read what a device reports; give also why it does not count."""
        if not payload:
            return None, ""
        try:
            verifier = self._keys.verifier(device)
            return reports.decode(payload, verifier, fleet=self._fleet, device=device), ""
        except (MessageInvalid, ConfigInvalid) as error:
            return None, error.problem

    def following(self, known: Known, change: Change, issued: int) -> Desired:
        """Make a device's next desired state.

        Args:
            known: of the device.
            change: what is new.
            issued: seconds since 1970.

        Raises:
            ConfigInvalid: there is no such desired state: it would have too many settings.
            MessageInvalid: what was sent last from this folder is damaged.
            OSError: it cannot be read.
        """
        sent = desired.sent(self._folder, self._fleet, known.device)
        try:
            return wishes.following(
                (sent, known.wish),
                change,
                fleet=self._fleet,
                device=known.device,
                floor=known.reported.generation if known.reported else 0,
                issued=issued,
            )
        except ValidationError as error:
            hint = "Name less, or take settings away: edgectl configure --unset KEY"
            raise ConfigInvalid("make desired state of", known.device, first_problem(error), hint) from error
