"""What python-tuf refuses, in our words: one line, with the role and the next thing to do."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tuf.api import exceptions as tuf_errors

from agent.errors import Absent, FetchFailed, MetadataRefused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.updater.fetcher import ShelfFetcher

HEAL = "Have the operator put it there with: edgectl heal"
PUBLISH = "Publish it again with: edgectl publish"
REPLAYED = (
    "Somebody replays old files, or the publisher has lost its newest: put them back with: edgectl heal"
)
EXPIRED = "Sign it again with: edgectl resign; or set this device's clock"
_FORGED = (
    "It is signed by other keys than the fleet's, or a root between is missing: look with: edgectl verify"
)
_DAMAGED = f"It is damaged, or of another time than the rest. {HEAL}"

_ROLE = re.compile(r"\b(root|timestamp|snapshot|targets|models|fleet)\b")
_MOST = 200


@contextmanager
def explained(fetcher: ShelfFetcher) -> Iterator[None]:
    """Say in our words what python-tuf refuses.

    Raises:
        MetadataRefused: metadata is forged, expired, replayed or damaged.
        Absent: the file that was asked for last is not there.
        FetchFailed: it does not come.
    """
    try:
        yield
    except tuf_errors.RepositoryError as error:
        raise refused(error, fetcher.asked) from error
    except tuf_errors.DownloadHTTPError as error:
        raise Absent("fetch metadata", fetcher.asked, "it is not there", HEAL) from error
    except tuf_errors.DownloadError as error:
        raise FetchFailed("fetch metadata", fetcher.asked, str(error)[:_MOST], HEAL) from error


def refused(error: tuf_errors.RepositoryError, asked: str) -> MetadataRefused:
    """Make an error of ours.

    Args:
        error: what python-tuf raised.
        asked: the metadata file that was asked for last, for errors that name none.
    """
    text = " ".join(str(error).split()).encode("unicode_escape").decode("ascii")[:_MOST]
    named = _ROLE.search(text) or _ROLE.search(asked)
    problem = text or type(error).__name__
    return MetadataRefused("prove metadata", named[1] if named else asked, problem, _hint(error))


def _hint(error: tuf_errors.RepositoryError) -> str:
    if isinstance(error, tuf_errors.ExpiredMetadataError):
        return EXPIRED
    if isinstance(error, tuf_errors.BadVersionNumberError):
        return REPLAYED
    if isinstance(error, tuf_errors.UnsignedMetadataError):
        return _FORGED
    return _DAMAGED
