"""The options of verbs that speak with a broker."""

from __future__ import annotations

import functools
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_type_hints

import typer

from agent.fleet.broker import PASSWORD, Broker, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = (
    "CA_FILE",
    "CERT_FILE",
    "FLEET",
    "HOST",
    "KEY_FILE",
    "PASSWORD",
    "PORT",
    "PROTOCOL",
    "TLS",
    "USERNAME",
    "Broker",
    "Protocol",
    "with_broker",
)

HOST = Annotated[
    str, typer.Option(help="The broker's name or address; else the folder's, else 127.0.0.1.", metavar="NAME")
]
_PORT = 1883
PORT = Annotated[int, typer.Option(help="The broker's port.", min=1, max=65535)]
FLEET = Annotated[str, typer.Option(help="The fleet: edge/v1/FLEET/...")]
PROTOCOL = Annotated[Protocol, typer.Option(help="Which MQTT to speak; auto tries 5 first.")]
USERNAME = Annotated[str, typer.Option(help=f"For the broker; the password comes from ${PASSWORD}.")]
TLS = Annotated[bool, typer.Option("--tls", help="Encrypt; trust the system's authorities.")]
CA_FILE = Annotated[str, typer.Option(help="The broker's certificate authority; switches TLS on.")]
CERT_FILE = Annotated[str, typer.Option(help="Our certificate, for mutual TLS.")]
KEY_FILE = Annotated[str, typer.Option(help="Our private key, for mutual TLS.")]

_OPTIONS: tuple[tuple[str, object, object], ...] = (
    ("host", HOST, ""),
    ("port", PORT, _PORT),
    ("fleet", FLEET, "default"),
    ("protocol", PROTOCOL, Protocol.AUTO),
    ("username", USERNAME, ""),
    ("tls", TLS, False),
    ("ca_file", CA_FILE, ""),
    ("cert_file", CERT_FILE, ""),
    ("key_file", KEY_FILE, ""),
)


def with_broker(verb: Callable[..., None], *, optional: bool = False) -> Callable[..., None]:
    """Give a verb the options that name a broker; it gets them together, as its parameter ``broker``.

    Without --host that is the one which the operator's folder knows, with the operator's certificate.

    Args:
        verb: what typer would call.
        optional: without --host there is none: ``broker.host`` is "".
    """
    defaults = {name: value for name, _, value in _OPTIONS}

    @functools.wraps(verb)
    def wider(**given: object) -> None:
        from agent.fleet.identity.way import way

        named = {name: given.pop(name) for name, _, _ in _OPTIONS}
        if not optional:
            folder = given.get("folder")
            named = way(folder if isinstance(folder, Path) else None, "operator", named, _PORT)
        verb(**given, broker=Broker(**named))  # type: ignore[arg-type]  # typer has checked the types

    kinds = get_type_hints(verb, include_extras=True)
    given_too = [one for one in inspect.signature(verb).parameters.values() if one.name != "broker"]
    own = [one.replace(annotation=kinds[one.name]) for one in given_too]
    keyword = inspect.Parameter.KEYWORD_ONLY
    ours = [
        inspect.Parameter(name, keyword, default=defaults[name], annotation=kind)
        for name, kind, _ in _OPTIONS
    ]
    wider.__signature__ = inspect.Signature([*own, *ours])  # type: ignore[attr-defined]  # PEP 362
    wider.__annotations__ = {one.name: one.annotation for one in (*own, *ours)}
    del wider.__wrapped__  # who looks behind it sees another signature
    return wider
