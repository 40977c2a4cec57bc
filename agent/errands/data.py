"""Deletes what the device keeps, when an operator says so: through the store's thread, and bundles here."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from agent.commands.seams import Answer
from agent.errors import AgentError, Rejected, StoreBusy
from agent.updater.room import Room, bytes_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from agent.blocks import Stream
    from agent.processes.watch import Watched
    from agent.store.reports import Cleared
    from agent.store.thread import Store

STREAMS: dict[str, Stream] = {"results": "result", "metrics": "metric", "alerts": "alert"}
WHAT = (*STREAMS, "media", "bundles")


class Data:
    """What commands reach of the data folder.

    Args:
        store: deletes records and media.
        models: the folder of bundles.
        needed: gives the digests of bundles that must stay; None while some are being fetched.
    """

    def __init__(self, store: Store, models: Path, needed: Callable[[], set[str] | None]) -> None:
        self._store, self._models, self._needed = store, models, needed

    def purge(self, what: Iterable[str]) -> Purging:
        """Delete results, metrics, alerts, media, or bundles that nobody needs; the answer says what went.

        Raises:
            Rejected: bundles are being fetched.
            StoreBusy: the disk refuses.
        """
        wanted = set(what)
        told = {"bundles": self._bundles()} if "bundles" in wanted else {}
        return Purging(self._store, [one for one in STREAMS if one in wanted], "media" in wanted, told)

    def _bundles(self) -> dict[str, int]:
        needed = self._needed()
        if needed is None:
            hint = "Purge them when the deployment is over"
            raise Rejected("purge", "bundles", "some are being fetched", hint)
        room = Room(self._models, needed, 0)
        files = size = 0
        try:
            for one in room.spare() if room.bundles.is_dir() else ():
                files, size = files + 1, size + bytes_in(one)
                room.delete(one)
        except OSError as error:
            hint = "Look at the disk, and purge again"
            raise StoreBusy("purge", "bundles", error.strerror or str(error), hint) from error
        return {"bundles": files, "bytes": size}


class Purging:
    """A deletion under way; a ``Work``.

    Args:
        store: deletes.
        streams: which records, as commands call them.
        media: whether snapshots and clips go, too.
        told: what went already.
    """

    def __init__(self, store: Store, streams: list[str], media: bool, told: dict[str, Any]) -> None:  # noqa: FBT001
        self._told = told
        self._found: list[Mapping[str, Cleared] | AgentError] = []
        if streams or media:
            store.clear([STREAMS[one] for one in streams], self._found.append, media=media)
        else:
            self._found.append({})

    def tick(self, now: float) -> Answer | None:
        """Give what went, by what it was, once the store has done it.

        Raises:
            AgentError: the disk refuses.
        """
        del now
        if not self._found:
            return None
        found = self._found[0]
        if isinstance(found, AgentError):
            raise found
        names = {stream: name for name, stream in STREAMS.items()}
        return Answer({names.get(what, what): asdict(one) for what, one in found.items()} | self._told)  # type: ignore[call-overload]

    def watched(self) -> Iterator[Watched]:
        """There are no processes."""
        return iter(())

    def stop(self) -> None:
        """What the store has been asked for is done all the same."""
