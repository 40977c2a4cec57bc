"""How python-tuf asks for metadata: of whoever holds the files, and never for more than a role may have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import FetcherInterface

from agent.errors import Absent
from agent.published import MOST_BYTES, MOST_TARGETS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NAME = re.compile(r"(?:(\d+)\.)?(.+)\.json")
_NOT_FOUND = 404


class ShelfFetcher(FetcherInterface):
    """Fetches metadata by its file's name.

    Args:
        get: gives a file of at most so many bytes; raises ``Absent`` when there is none.
        newest_root: the newest root there is, if somebody has told: later ones are not asked for.
        limited: keep to ``MOST_BYTES``; else python-tuf's own hold.

    Attributes:
        asked: the file that was asked for last.
    """

    def __init__(
        self,
        get: Callable[[str, int], bytes],
        newest_root: int | None = None,
        *,
        limited: bool = True,
    ) -> None:
        self._get = get
        self._limited = limited
        self._newest_root = newest_root
        self.asked = "root"

    def download_bytes(self, url: str, max_length: int) -> bytes:
        """Give a file's bytes; errors of ours pass as they are.

        Raises:
            DownloadHTTPError: it is not there.
        """
        name = url.lstrip("/")
        match = _NAME.fullmatch(name)
        version, role = match.groups() if match else (None, name)
        self.asked = name
        if role == "root" and self._newest_root is not None and int(version or 0) > self._newest_root:
            raise DownloadHTTPError("there is none yet, as was told", _NOT_FOUND)
        most = min(max_length, MOST_BYTES.get(role, MOST_TARGETS)) if self._limited else max_length
        try:
            return self._get(name, most)
        except Absent as error:
            raise DownloadHTTPError(str(error), _NOT_FOUND) from error

    def _fetch(self, url: str) -> Iterator[bytes]:
        return iter([self.download_bytes(url, MOST_TARGETS)])
