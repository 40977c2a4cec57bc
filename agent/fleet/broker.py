"""Which broker the operator's side speaks with, and how."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from agent.errors import ConfigInvalid

if TYPE_CHECKING:
    from agent.link.settings import LinkSettings

PASSWORD = "EDGECTL_PASSWORD"  # noqa: S105 - the variable's name


class Protocol(StrEnum):
    """Which MQTT to speak."""

    AUTO = "auto"
    FIVE = "5"
    THREE = "3.1.1"


@dataclass(frozen=True, slots=True)
class Broker:
    """The broker that the command line names, and the fleet."""

    host: str
    port: int
    fleet: str
    protocol: Protocol
    username: str
    tls: bool
    ca_file: str
    cert_file: str
    key_file: str
    password: str = field(default="", repr=False)

    def link(self, client_id: str) -> LinkSettings:
        """Give the settings of a connection.

        Args:
            client_id: unique at the broker.

        Raises:
            ConfigInvalid: the options do not go together, or the fleet cannot be called so.
        """
        from agent.link.settings import LinkSettings
        from agent.link.topics import NAME_HINT, is_name

        if not is_name(self.fleet):
            raise ConfigInvalid("use", f"--fleet {self.fleet!r}", "a fleet cannot be called so", NAME_HINT)
        encrypted = self.tls or bool(self.ca_file)
        if bool(self.cert_file) != bool(self.key_file) or (self.cert_file and not encrypted):
            hint = "Give --cert-file and --key-file together, with --tls or --ca-file"
            raise ConfigInvalid("connect", "--cert-file", "mutual TLS is only half there", hint)
        return LinkSettings(
            host=self.host,
            port=self.port,
            client_id=client_id,
            protocol=self.protocol.value,
            username=self.username,
            password=self.password or os.environ.get(PASSWORD, ""),
            tls=encrypted,
            ca_file=self.ca_file,
            cert_file=self.cert_file,
            key_file=self.key_file,
        )
