from __future__ import annotations

from typing import TYPE_CHECKING

from agent.store.ballast import Ballast

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 64 << 10


def test_the_ballast_takes_its_room_and_gives_it_back(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path, SIZE)
    ballast.take()
    ballast.take()
    found = (tmp_path / "ballast").stat()
    assert (found.st_size, found.st_blocks * 512) == (SIZE, SIZE)
    assert ballast.give_up()
    assert list(tmp_path.iterdir()) == []
    assert not ballast.give_up()
    ballast.take()
    assert (tmp_path / "ballast").exists()


def test_no_ballast_is_made_where_none_is_wanted(tmp_path: Path) -> None:
    Ballast(tmp_path, 0).take()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_away_gets_no_ballast_and_is_no_error(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path / "away", SIZE)
    ballast.take()
    assert not ballast.give_up()
