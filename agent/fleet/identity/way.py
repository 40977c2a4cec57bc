"""The way to the fleet's broker as the operator's folder knows it, where a command line names none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from agent.fleet.identity.place import CA, CLIENTS, read_site

if TYPE_CHECKING:
    from pathlib import Path

Who = Literal["operator", "collector"]


def way(folder: Path | None, who: Who, given: dict[str, Any], port: int) -> dict[str, Any]:
    """Give options with the broker in them; what was given stays.

    Args:
        folder: the operator's; None: there is none.
        who: whose certificate is shown.
        given: options by name: host ("" for none), port, fleet, username, tls, ca_file, cert_file, key_file.
        port: the one that stands for none.

    Raises:
        ConfigInvalid: what the folder says of the broker is damaged.
    """
    if given["host"]:
        return given
    plain = not any(given[name] for name in ("username", "tls", "ca_file", "cert_file", "key_file"))
    site = read_site(folder) if folder and plain else None
    pair = folder / CLIENTS if folder else None
    if site is None or folder is None or pair is None or not (pair / f"{who}.key").exists():
        return {**given, "host": "127.0.0.1"}
    return {
        **given,
        "host": site.names[0],
        "port": site.port if given["port"] == port else given["port"],
        "fleet": site.fleet if given["fleet"] == "default" else given["fleet"],
        "tls": True,
        "ca_file": str(folder / CA),
        "cert_file": str(pair / f"{who}.pem"),
        "key_file": str(pair / f"{who}.key"),
    }
