"""Addresses of servers, as people write them: checked in one place, and refused in words where they are none.

The grammar is that of RFC 3986, narrowed to what all that use them read in one way.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from agent.errors import ConfigInvalid

_HINT = "Give an address such as https://mirror.example/fleet"
_MOST = 2048
_PLAIN = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*")
_SERVER = re.compile(r"(?:\[(?P<v6>[^\[\]]+)\]|(?P<name>[\w.-]+))(?::(?P<port>[0-9]{1,5}))?", re.ASCII)
_V6 = re.compile(r"[0-9A-Fa-f:.]+(%25[A-Za-z0-9._~-]+)?")
"""With the interface of a link-local one, as in fe80::1%25eth0."""
_MOST_NAME, _MOST_LABEL = 253, 63


@dataclass(frozen=True, slots=True)
class Address:
    """An address in its parts.

    Attributes:
        scheme: in lower case.
        host: a name or an IP address, without brackets.
        port: from 1 to 65535; None where none is given.
        path: with the slash that it begins with, or "".
    """

    scheme: str
    host: str
    port: int | None
    path: str


def scheme(text: str) -> str:
    """Give what an address begins with, in lower case; "" where it has none."""
    begin, colon, _ = text.partition(":")
    return begin.lower() if colon else ""


def split(text: str, *schemes: str) -> Address:
    """Take an address apart.

    Raises:
        ValueError: it is none of these schemes that can be used; the message says why, and not what it is: a
            password may stand in it.
    """
    if len(text) > _MOST:
        raise ValueError(f"it has more than {_MOST} characters")
    if not _PLAIN.fullmatch(text):
        raise ValueError("it holds a space, or a character that has to be written as %XX or xn--")
    begin, _, rest = text.partition("://")
    if begin.lower() not in schemes:
        raise ValueError(f"it does not begin with {' or '.join(f'{one}://' for one in schemes)}")
    if {"?", "#"} & set(text):
        raise ValueError("it holds a '?' or '#', and paths are to follow after it")
    server, slash, path = rest.partition("/")
    if "@" in server:
        raise ValueError("it holds a user's name or password, which nobody would use")
    found = _SERVER.fullmatch(server)
    if found is None:
        raise ValueError("it names no server, or its port is no number from 1 to 65535")
    port = int(found["port"]) if found["port"] else None
    if port is not None and not 1 <= port <= 65535:
        raise ValueError("its port is no number from 1 to 65535")
    return Address(begin.lower(), _host(found["v6"], found["name"]), port, slash + path)


def _host(v6: str | None, name: str | None) -> str:
    if v6 is not None:
        bare = v6.replace("%25", "%")
        try:
            ipaddress.IPv6Address(bare if _V6.fullmatch(v6) else "")
        except ValueError as error:
            raise ValueError("what stands in brackets is no IPv6 address") from error
        return bare
    name = name or ""
    labels = name.removesuffix(".").split(".")
    if len(name) > _MOST_NAME or not all(0 < len(label) <= _MOST_LABEL for label in labels):
        raise ValueError("it names no server")
    return name


def web(text: str) -> Address:
    """Take the address of a web server apart.

    Raises:
        ValueError: it is none, in a sentence.
    """
    try:
        return split(text, "https", "http")
    except ValueError as error:
        raise ValueError(f"no address of a web server: {error}") from error


def mqtt(text: str) -> Address:
    """Take the address of a broker, and of what lies there, apart.

    Raises:
        ValueError: it is none, in a sentence.
    """
    try:
        return split(text, "mqtt")
    except ValueError as error:
        raise ValueError(f"no address of a broker: {error}") from error


def given(text: str, key: str, *, broker: bool = False) -> Address:
    """Take apart what stands in a configuration, or was given with an option.

    Args:
        text: the address.
        key: where it stands, for the error.
        broker: whether an mqtt:// address will do, too.

    Raises:
        ConfigInvalid: it is no address of a web server, or of a broker.
    """
    try:
        return mqtt(text) if broker and scheme(text) == "mqtt" else web(text)
    except ValueError as error:
        hint = f"{_HINT}, or mqtt://HOST:PORT/PREFIX" if broker else _HINT
        raise ConfigInvalid("use", key, str(error), hint) from error
