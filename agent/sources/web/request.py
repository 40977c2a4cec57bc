"""What cameras that are asked over HTTP have in common: their options, and one request to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, field_validator

from agent.errors import SourceLost
from agent.sources.web.address import Address, parse
from agent.sources.web.connection import Connection
from agent.sources.web.reply import REFUSALS, Reply, refusal
from agent.types import Needs

if TYPE_CHECKING:
    from agent.sources.web.login import Login

OP = "read camera"


class WebOptions(BaseModel):
    """Which camera is asked, and as whom."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True
    )

    url: str = Field(max_length=2048)
    """Where it is: `http://192.0.2.20:8080/video`; without name and password."""
    login: str = Field(default="", max_length=4096)
    """A file with one line, `user:password`, such as a credential that systemd passes; empty: none."""
    silence_s: float = Field(default=4.0, ge=0.5, le=3600)
    """Seconds without a whole picture after which the camera counts as lost, and is asked again."""

    @field_validator("url")
    @classmethod
    def _can_be_asked(cls, url: str) -> str:
        parse(url)
        return url

    @property
    def address(self) -> Address:
        """The URL's parts."""
        return parse(self.url)


def needs(options: WebOptions) -> Needs:
    """Say what it reaches: the network, and its login."""
    return Needs(read=(options.login,) if options.login else (), network=True)


class Get:
    """One GET request; it logs in when it is asked to.

    Args:
        address: whom to ask for what.
        login: as whom, if at all; shared by the requests to one camera.

    Raises:
        SourceLost: the name is not known.
    """

    def __init__(self, address: Address, login: Login | None) -> None:
        self._address = address
        self._login = login
        self._retried = False
        self.reply = Reply()
        self._connection = self._ask()

    def advance(self, deadline: float) -> bytes | None:
        """Give bytes of the body: b"" for what is none, or for its end; None when nothing came in time.

        Args:
            deadline: CLOCK_MONOTONIC, seconds.

        Raises:
            SourceLost: the camera is away, refuses, or speaks no HTTP.
        """
        data = self._connection.receive(deadline)
        if data is None:
            return None
        try:
            body = self.reply.feed(data)
            if not data:
                self.reply.end()
        except ValueError as error:
            raise self.lost(str(error), "Check that the URL names the camera's stream") from None
        if self.reply.status in {0, 200}:
            return body
        self._refused()
        return b""

    def lost(self, problem: str, hint: str) -> SourceLost:
        """Make an error about this camera."""
        return SourceLost(OP, self._address.shown, problem, hint)

    def close(self) -> None:
        """End the request. Idempotent."""
        self._connection.close()

    def _ask(self) -> Connection:
        address = self._address
        lines = [f"GET {address.target} HTTP/1.1", f"Host: {address.authority}", "Connection: close"]
        answer = self._login.header("GET", address.target) if self._login else ""
        if answer:
            lines.append(f"Authorization: {answer}")
        return Connection(address, "\r\n".join([*lines, "", ""]).encode())

    def _refused(self) -> None:
        """Answer a challenge, once; or say what the status means."""
        status = self.reply.status
        offers = [value for key, value in self.reply.headers if key == "www-authenticate"]
        if status == 401 and self._login is not None and not self._retried and self._login.challenge(offers):
            self._retried = True
            self._connection.close()
            self.reply = Reply()
            self._connection = self._ask()
            return
        if status in REFUSALS:
            raise refusal(OP, self._address.shown, status, known=self._login is not None)
        raise self.lost(*_meaning(status))


def _meaning(status: int) -> tuple[str, str]:
    """Give problem and hint."""
    if status == 404:
        return "it has nothing at this path (404)", "Look the path up in the camera's manual"
    if 300 <= status < 400:
        return f"it sends us elsewhere ({status})", "Put the address that it leads to into url"
    return f"it answers with status {status}", "Look at the camera's own page; it is tried again"
