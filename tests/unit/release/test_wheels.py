"""The wheels of others that are kept from one release to the next."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from release import wheels
from release.source import ReleaseFailed
from release.target import Target

if TYPE_CHECKING:
    from pathlib import Path

TARGET = Target("arm64", "3.11")
WHEEL = "idna-3.10-py3-none-any.whl"


def kept(folder: Path, content: bytes) -> Path:
    """Lay a wheel into the folder that is asked first; give the lock that names the hash of b"good"."""
    lock = folder / "requirements.txt"
    lock.write_text(f"idna==3.10 --hash=sha256:{hashlib.sha256(b'good').hexdigest()}\n")
    key = hashlib.sha256("\n".join(wheels.pins(TARGET, lock)).encode()).hexdigest()[:12]
    place = folder / "wheels" / f"{TARGET.name}-{key}"
    place.mkdir(parents=True)
    (place / WHEEL).write_bytes(content)
    return lock


def test_a_wheel_that_is_kept_is_taken_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheels, "CACHE", tmp_path)
    [found] = wheels.gathered(TARGET, kept(tmp_path, b"good"))
    assert found.name == WHEEL


def test_a_wheel_that_was_changed_where_it_is_kept_goes_into_no_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheels, "CACHE", tmp_path)
    with pytest.raises(ReleaseFailed, match=f"{WHEEL}: the lock has another hash"):
        wheels.gathered(TARGET, kept(tmp_path, b"bad"))


def test_two_that_gather_at_once_do_not_stand_in_each_others_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = kept(tmp_path, b"good")
    [other] = (tmp_path / "wheels").iterdir()
    hidden = other.rename(tmp_path / "hidden")

    def download(command: list[str], _what: str, _epoch: int) -> str:
        mine = tmp_path / command[command.index("--dest") + 1]
        mine.mkdir()
        (mine / WHEEL).write_bytes(b"good")
        hidden.rename(other)
        return ""

    monkeypatch.setattr(wheels, "CACHE", tmp_path)
    monkeypatch.setattr(wheels, "run", download)
    assert wheels.gathered(TARGET, lock) == [other / WHEEL]
