"""Takes secrets out of texts that leave the device: lines of the log, a configuration, what an error says.

Two ways together: values that are known to be secrets are replaced wherever they stand, and what looks like a
secret is replaced by its form: name and password in a URL (RFC 3986, "userinfo"), private keys in PEM (RFC
7468), HTTP's ``Authorization`` (RFC 9110), and values behind words such as "password".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MASK = "***"
_SHORTEST = 4
"""Characters of a known secret that is replaced wherever it stands: less would blacken the rest, too."""
_WORD = r"(?:pass(?:word|wd|phrase)|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential)s?"
_NAME = re.compile(rf"(?i).*{_WORD}|pin|pwd")
_PLACE = re.compile(r"(?i).*(_file|_path|_dir|_folder)")
"""Such a key names a file, not what is in it."""
_PEM = r"PRIVATE KEY-----"
_FORMS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(rf"-----BEGIN [A-Z ]{{0,20}}{_PEM}.*?(?:-----END [A-Z ]{{0,20}}{_PEM}|\Z)", re.DOTALL), MASK),
    (re.compile(r"(?<=://)[^\s\"'<>]{0,500}@"), f"{MASK}@"),
    (re.compile(r"(?i)\b(bearer|basic|digest)\s+[A-Za-z0-9+/=._~-]{6,}"), rf"\1 {MASK}"),
    (re.compile(rf"(?i)({_WORD}[\"']?\s*[=:]\s*)([\"'])(?:(?!\2).)*\2"), rf"\1\2{MASK}\2"),
    (re.compile(rf"(?i)({_WORD}[\"']?\s*[=:]\s*)[^\s,;&\"'{{}}\[\]]+"), rf"\1{MASK}"),
    (re.compile(r"(?i)([?&](?:key|sig|signature|auth|pw|pwd|user)=)[^&\s\"']+"), rf"\1{MASK}"),
)
"""None of them looks back at what it has passed: a line of a hostile peer costs no more than its length."""


class Redactor:
    """Takes secrets out.

    Args:
        known: values that are secrets whatever stands around them.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        found = sorted({one for one in known if len(one) >= _SHORTEST}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, found))) if found else None

    def __repr__(self) -> str:
        """Say nothing of what it knows."""
        return "Redactor()"

    def text(self, text: str) -> str:
        """Give a text without its secrets."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        for form, instead in _FORMS:
            text = form.sub(instead, text)
        return text

    def value(self, value: Any, key: str = "") -> Any:
        """Give a value of JSON or TOML without its secrets; behind a key that says so, all of it is one."""
        if isinstance(value, dict):
            return {self.text(str(name)): self.value(one, str(name)) for name, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(one, key) for one in value]
        if is_secret(key) and value not in ("", None, True, False):
            return MASK
        return self.text(value) if isinstance(value, str) else value


def is_secret(key: str) -> bool:
    """Whether what a key names is a secret: not the place of a file that holds one."""
    return bool(_NAME.fullmatch(key)) and not _PLACE.fullmatch(key)


def secrets_in(value: Any, key: str = "") -> Iterator[str]:
    """Give the secrets that a configuration holds: behind such keys, and passwords in URLs."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield from secrets_in(one, str(name))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from secrets_in(one, key)
    elif isinstance(value, str):
        if is_secret(key):
            yield value
        for login in re.findall(r"://([^\s\"'<>]*)@", value):
            yield from (one for one in (login, login.partition(":")[2]) if one)


def secrets_of_environment(environment: Mapping[str, str]) -> Iterator[str]:
    """Give the values of variables whose names say that they are secrets."""
    for name, value in environment.items():
        if name != "PWD" and (is_secret(name.rpartition("__")[2]) or is_secret(name)):
            yield value  # PWD is where one is (POSIX, 8.3)
