"""Why a link is not there, in words; and whether trying again can help."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an attempt or a connection ended.

    Attributes:
        text: for people.
        refused: the broker or our own settings said no.
        hint: the next thing to do; "" when there is none.
        version: the broker does not speak our version of MQTT.
        rival: another client has connected under our id.
    """

    text: str
    refused: bool = False
    hint: str = ""
    version: bool = False
    rival: bool = False

    def __str__(self) -> str:
        """One line: what, and what to do."""
        return f"{self.text}. {self.hint}" if self.hint else self.text


_VERSION = "Unsupported protocol version"
_RIVAL = "Session taken over"
_NO = {
    "Bad user name or password": "Check the user name and the password",
    "Not authorized": "Check user name, password and the broker's access list",
    "Client identifier not valid": "Choose another client id",
    "Banned": "Ask the broker's operator",
    "Bad authentication method": "Check how the broker wants to be logged in to",
    _RIVAL: "Another client uses our client id: find it, and give it another",
    "Quota exceeded": "Raise the broker's quota, or free some space on it",
    "Packet too large": "Raise the broker's limit for packets",
    "Topic name invalid": "Check the broker's access list",
}


def of_answer(name: str) -> Reason:
    """Read the name of an MQTT reason code in CONNACK, PUBACK or DISCONNECT."""
    if name == _VERSION:
        return Reason(
            "the broker does not speak this version of MQTT",
            refused=True,
            hint='Set mqtt.protocol to "auto"',
            version=True,
        )
    text = f"the broker says: {name.lower()}"
    return Reason(text, refused=True, hint=_NO[name], rival=name == _RIVAL) if name in _NO else Reason(text)


def of_error(error: Exception, host: str, port: int) -> Reason:
    """Read what opening the connection raised."""
    refused = False
    match error:
        case ssl.SSLCertVerificationError():
            text = f"the broker's certificate is not trusted: {error.verify_message.rstrip('.')}"
            hint, refused = "Check ca_file, the host's name and this machine's clock", True
        case ssl.SSLError():
            text, hint = (
                f"TLS failed: {error.strerror or error}",
                "Check that the port is the broker's TLS port",
            )
        case socket.gaierror():
            text = f"no address found for {host!r}"
            hint = "Check the broker's name (mqtt.host, or --host) and the name server"
        case ConnectionRefusedError():
            text, hint = "connection refused", f"Check that a broker listens on port {port}"
        case TimeoutError():
            text, hint = "no answer in time", "Check the address, the network and the firewall"
        case OSError():
            text, hint = (error.strerror or str(error)).lower(), ""
        case _:
            text, hint, refused = f"{host!r} is no host name: {error}", "Check mqtt.host", True
    return Reason(text, refused, hint)
