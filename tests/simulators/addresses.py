"""Addresses as people, editors and enemies write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from hypothesis import strategies as st

from agent.errors import ConfigInvalid

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_SCHEMES = ("http", "https", "mqtt", "ftp", "HTTPS", "htt\tp", "")
_HOSTS = (
    "mirror.example", "x", "a..b", "a" * 64, "127.0.0.1", "[::1]", "[fe80::1%25eth0]", "[bad", "[v1.x]", "[]",
    "user:secret@x", "x%41", "ⓧ.example", "x\\y", "", " x",
)  # fmt: skip
_PORTS = (
    "",
    ":",
    ":80",
    ":0",
    ":99999",
    ":65536",
    ":000080",
    ":abc",
    ":+80",
    ":-1",
    ":\uff18\uff10",
    ":80:80",
)
_PATHS = ("", "/", "/fleet", "/a/../b", "//x", "/?q", "/#f", "?", "#", "/%zz", "/\n", "/ü", "/[", "/@x", ";a")


def taken(take: Callable[[], T]) -> T | ConfigInvalid:
    """Give what comes of it, or the error that it may give; no other is expected."""
    try:
        return take()
    except ConfigInvalid as error:
        return error


def odd_addresses() -> st.SearchStrategy[str]:
    """Give addresses, most of them wrong."""
    made = st.builds(
        "{}{}{}{}{}".format,
        st.sampled_from(_SCHEMES),
        st.sampled_from(("://", ":", ":/", "")),
        st.sampled_from(_HOSTS),
        st.sampled_from(_PORTS),
        st.sampled_from(_PATHS),
    )
    likely = st.builds(
        "{}://{}{}{}".format,
        st.sampled_from(("http", "https", "HTTPS")),
        st.from_regex(r"[A-Za-z0-9._-]{1,12}|\[[0-9a-f:.]{2,20}\]", fullmatch=True),
        st.from_regex(r"(:[0-9]{0,6})?", fullmatch=True),
        st.from_regex(r"(/[!-~]{0,12})?", fullmatch=True),
    )
    return made | likely | st.text(max_size=40).map("http://{}".format) | st.text(max_size=20)
