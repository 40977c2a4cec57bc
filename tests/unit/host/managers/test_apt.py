"""apt, with stand-ins on the PATH that note what they are called with: a real one needs a repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import Rejected
from agent.host.deputies import Units
from agent.host.managers import Manager, apt, manager_of
from agent.host.settings import Update

_NOTES = '#!/bin/sh\necho "$(basename "$0") $*" >>"$HOME/log"\n'


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the stand-ins write."""
    for name, more in (("apt-get", ""), ("dpkg", ""), ("dpkg-query", 'printf "1:1.0-2"\n')):
        (tmp_path / name).write_text(_NOTES + more)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / "log"


def _apt(log: Path) -> Manager:
    """The manager, with its package installed."""
    place = log.parent / "edge-agent"
    place.mkdir()
    (place / "code.py").write_text("old")
    return manager_of(Update(manager="apt", package="edge-agent", place=str(place)), Units())


def _calls(log: Path) -> list[str]:
    """The calls, without the options that all have."""
    always = "install --yes --allow-downgrades --no-remove -o Dpkg::Options::=--force-confold "
    return [line.replace(always, "") for line in log.read_text().splitlines() if "dpkg-query" not in line]


def test_both_ways_are_downloaded_before_anything_changes(log: Path) -> None:
    _apt(log).fetch("1:1.1-1")
    assert _calls(log) == [
        "apt-get update",
        "apt-get --download-only --reinstall edge-agent=1:1.0-2",
        "apt-get --download-only --reinstall edge-agent=1:1.1-1",
    ]


def test_what_was_cut_off_is_finished_before_the_other_release_is_installed(log: Path) -> None:
    _apt(log).switch("1:1.0-2")
    assert _calls(log) == ["dpkg --configure --pending", "apt-get edge-agent=1:1.0-2"]


def test_a_lock_that_the_systems_own_upgrade_holds_is_waited_for(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apt, "_PAUSE_S", 0.0)
    busy = "[ -e $HOME/tried ] || { touch $HOME/tried; echo 'E: Could not get lock /dpkg' >&2; exit 100; }"
    (log.parent / "apt-get").write_text(_NOTES + busy + "\n")
    _apt(log).switch("1:1.0-2")
    assert _calls(log) == ["dpkg --configure --pending", *["apt-get edge-agent=1:1.0-2"] * 2]


def test_the_agent_says_its_version_without_what_debian_adds(log: Path) -> None:
    manager = _apt(log)
    assert [manager.says(one) for one in ("1.2.0", "1.2.0-1", "1:1.2.0-1~deb12u1", "1.2.0-rc1-3")] == [
        "1.2.0",
        "1.2.0",
        "1.2.0",
        "1.2.0-rc1",
    ]


def test_a_package_manager_that_fails_or_is_not_there_is_told_in_its_own_words(log: Path) -> None:
    (log.parent / "apt-get").write_text("#!/bin/sh\necho 'E: Version 9 was not found' >&2\nexit 100\n")
    manager = _apt(log)
    with pytest.raises(Rejected, match="run apt-get update: E: Version 9 was not found"):
        manager.fetch("9")
    (log.parent / "dpkg-query").unlink()
    Path(log.parent / "dpkg-query").symlink_to("nowhere")
    with pytest.raises(Rejected):
        manager.current()


@pytest.mark.parametrize("well", [True, False])
def test_the_helper_stays_what_it_was_until_the_package_that_replaces_it_is_proven(
    log: Path, *, well: bool
) -> None:
    manager = _apt(log)
    place, helper = log.parent / "edge-agent", log.parent / "edge-agent-proven" / "code.py"
    manager.fetch("1.1-1")
    new = place / "code.py.dpkg-new"  # so dpkg does it
    new.write_text("new")
    new.rename(place / "code.py")
    assert (helper.read_text(), (place / "code.py").read_text()) == ("old", "new")
    (log.parent / "apt-get").write_text(f"#!/bin/sh\nln -sfT edge-agent {helper.parent}\n")
    manager.switch("1.1-1")  # the package brings the link
    assert helper.read_text() == "old"
    if well:
        manager.keep("1.1-1", "1:1.0-2")
    else:
        manager.switch("1:1.0-2")
    assert helper.read_text() == "new"
    assert sorted(one.name for one in log.parent.glob("edge-agent*")) == ["edge-agent", "edge-agent-proven"]
