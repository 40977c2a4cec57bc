"""Name and password for an HTTP server: Basic (RFC 7617) and Digest (RFC 7616)."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from pathlib import Path

from agent.errors import InputRejected
from agent.sources._files import check_file, unreadable

_OP = "read login"
_MAX_BYTES = 1024
_PARAMETER = re.compile(r'\s*([A-Za-z]+)\s*=\s*(?:"((?:[^"\\]|\\.){0,1024})"|([^\s",]{0,1024}))\s*(?:,|$)')
_HASHES = {"SHA-256": "sha256", "MD5": "md5", "": "md5"}


class Login:
    """Answers a server's challenge. One object serves all requests to one server: it counts the nonce's use.

    Args:
        user: the name.
        password: it leaves this object as a hash, as Basic wants it, or for a library, and in no error.
    """

    def __init__(self, user: str, password: str) -> None:
        self._user = user
        self._password = password
        self._digest: dict[str, str] | None = None
        self._basic = False
        self._uses = 0

    @property
    def pair(self) -> tuple[str, str]:
        """Name and password, for a library that logs in by itself."""
        return self._user, self._password

    def challenge(self, offers: list[str]) -> bool:
        """Take the WWW-Authenticate headers of a 401; False when none of them can be answered."""
        digests = [_parameters(offer[7:]) for offer in offers if offer[:7].lower() == "digest "]
        usable = [one for one in digests if _usable(one)]
        self._digest = min(
            usable, key=lambda one: one.get("algorithm", "").upper() != "SHA-256", default=None
        )
        self._basic = self._digest is None and any(offer[:5].lower() == "basic" for offer in offers)
        self._uses = 0
        return self._basic or self._digest is not None

    def header(self, method: str, target: str, client_nonce: str = "") -> str:
        """Give the value of the Authorization header for a request, or "" when none was asked for yet."""
        if self._basic:
            return "Basic " + base64.b64encode(f"{self._user}:{self._password}".encode()).decode()
        if self._digest is None:
            return ""
        self._uses += 1
        return self._answer(self._digest, method, target, client_nonce or secrets.token_hex(8))

    def _answer(self, asked: dict[str, str], method: str, target: str, client_nonce: str) -> str:
        """Compute the response of RFC 7616, 3.4.1; without qop that of RFC 2069, for old cameras."""
        algorithm = asked.get("algorithm", "")
        name = _HASHES[algorithm.upper()]
        secret = _hash(name, f"{self._user}:{asked['realm']}:{self._password}")
        request = _hash(name, f"{method}:{target}")
        fields = {"username": self._user, "realm": asked["realm"], "nonce": asked["nonce"], "uri": target}
        count = f"{self._uses:08x}"
        if "qop" in asked:
            middle = f"{asked['nonce']}:{count}:{client_nonce}:auth"
            fields |= {"cnonce": client_nonce, "response": _hash(name, f"{secret}:{middle}:{request}")}
        else:
            fields["response"] = _hash(name, f"{secret}:{asked['nonce']}:{request}")
        if "opaque" in asked:
            fields["opaque"] = asked["opaque"]
        bare = {"qop": "auth", "nc": count} if "qop" in asked else {}
        if algorithm:
            bare["algorithm"] = algorithm
        quoted = [f'{key}="{_escaped(value)}"' for key, value in fields.items()]
        return "Digest " + ", ".join([*quoted, *(f"{key}={value}" for key, value in bare.items())])


def read_login(path: str) -> Login:
    """Read ``user:password`` from the first line of a file.

    Raises:
        InputRejected: the file is missing, cannot be read, or holds something else.
    """
    check_file(_OP, path)
    hint = "Write one line into it: user:password"
    try:
        with Path(path).open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
        text = data.decode()
    except UnicodeDecodeError:
        raise InputRejected(_OP, path, "it is no text", hint) from None
    except OSError as error:
        raise unreadable(_OP, path, error) from error
    lines = text.splitlines()
    user, colon, password = lines[0].partition(":") if lines else ("", "", "")
    if len(data) > _MAX_BYTES or len(lines) != 1 or not colon or not (user + password).isprintable():
        raise InputRejected(_OP, path, "it does not hold one line with a name and a password", hint)
    return Login(user, password)


def _usable(asked: dict[str, str]) -> bool:
    ways = {way.strip().lower() for way in asked.get("qop", "auth").split(",")}
    known = asked.get("algorithm", "").upper() in _HASHES
    return known and "auth" in ways and {"realm", "nonce"} <= asked.keys()


def _parameters(text: str) -> dict[str, str]:
    """Read ``key=value, key="value"``; what comes after something else is left out."""
    found: dict[str, str] = {}
    at = 0
    while (one := _PARAMETER.match(text, at)) and one.end() > at:
        quoted = one[2]
        found[one[1].lower()] = one[3] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        at = one.end()
    return found


def _hash(name: str, text: str) -> str:
    return hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
