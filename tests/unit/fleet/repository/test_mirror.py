"""The published tree as files: what a web server's clients find is whole at every moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.errors import AgentError
from agent.files import write_durably
from agent.fleet.repository.catalog import blobs, metadata
from agent.fleet.repository.mirror import refresh
from agent.fleet.repository.repository import opened
from tests.simulators.operating import add, ask, make_bundle, operator

if TYPE_CHECKING:
    from pathlib import Path

FILES = {"m.tflite": b"0123456789" * 1000, "g.npy": b"input"}


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_a_mirror_is_what_is_published_and_follows_what_changes(tmp_path: Path) -> None:
    to = tmp_path / "www"
    with opened(operator(tmp_path / "keys"), ask) as repository:
        add(repository, make_bundle(tmp_path / "b", files=FILES, chunk=1024))
        add(repository, make_bundle(tmp_path / "c", "2.0.0"))
        repository.commit()
        written, gone = refresh(repository, to)
        wanted = {piece.path: piece.read() for piece in (*blobs(repository), *metadata(repository))}
        assert files(to) == wanted
        assert (written, gone) == (len(wanted), 0)
        (to / "index.html").write_text("mine")
        assert refresh(repository, to) == (0, 0)
        repository.remove_bundle("shapes", "1.0.0")
        repository.commit()
        written, gone = refresh(repository, to)
        assert written == 4  # models, snapshot, timestamp, hint
        assert (
            gone == 2 + 2 + 10
        )  # models and snapshot, the manifest, the model; the other needs the golden input
        wanted = {piece.path: piece.read() for piece in (*blobs(repository), *metadata(repository))}
        assert files(to) == {**wanted, "index.html": b"mine"}
        damaged = to / next(path for path in wanted if path.startswith("blob/"))
        damaged.write_bytes(b"x")
        assert refresh(repository, to) == (1, 0)
        assert files(to) == {**wanted, "index.html": b"mine"}


def test_the_timestamp_is_written_when_all_that_it_leads_to_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []

    def write(path: Path, content: bytes, mode: int) -> None:
        order.append(path.name)
        write_durably(path, content, mode)

    monkeypatch.setattr("agent.fleet.repository.mirror.write_durably", write)
    with opened(operator(tmp_path / "keys"), ask) as repository:
        refresh(repository, tmp_path / "www")
    assert order[-3:] == ["1.snapshot.json", "timestamp.json", "hint"]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "www").write_text("a file")
    with (
        opened(operator(tmp_path / "keys"), ask) as repository,
        pytest.raises(AgentError, match="Name a folder that you may write"),
    ):
        refresh(repository, tmp_path / "www")
