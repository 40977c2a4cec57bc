"""A device's folder of certificates, the agents that come and go there, and what the broker makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agent.fleet.identity import certificates
from agent.fleet.identity.certificates import Issuer
from agent.link.settings import LinkDown, LinkUp
from agent.uplink.credentials import Credentials

_KEY = certificates.new_key()
ISSUER = Issuer(certificates.new_authority("north", _KEY), _KEY)
ENROLLED = ("enrolled.pem", "enrolled.key")


class Place:
    """A device's folder, and the agents that come and go in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = folder / "ca.pem"
        self.ca.write_bytes(certificates.pem(ISSUER.certificate))
        self.now = 0.0
        self.start()

    def start(self) -> None:
        """Start the agent; what is in its memory is gone."""
        self.drops: list[str] = []
        self.held = Credentials(self.folder, "gate-1", ENROLLED, str(self.ca))
        self.held.reconnect = self.drops.append

    @property
    def shown(self) -> str:
        """The name of the pair that would be shown."""
        return Path(self.held.pair()[0]).name

    def up(self) -> None:
        """The broker takes what is shown."""
        self.held.take(LinkUp("5", 1, 1, self.held.pair()[0]))

    def refused(self, times: int = 1) -> None:
        """The broker was reached and lets nobody in."""
        for _ in range(times):
            self.held.take(LinkDown("closed", refused=False, met=True))

    def names(self) -> list[str]:
        """What lies in the folder."""
        return sorted(path.name for path in (self.folder / "credentials").iterdir())


def signed(request: str, name: str = "gate-1", **more: Any) -> str:
    """Give the certificate that was asked for, in a device's name, PEM."""
    key = certificates.read_request(request.encode(), "test", "gate-1")
    return certificates.pem(certificates.issue(ISSUER, name, key, **more)).decode()
