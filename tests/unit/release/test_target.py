"""What packages are made for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from release.source import HERE, Source, debian_version
from release.target import Target, glibc, targets
from release.wheels import pins

if TYPE_CHECKING:
    from pathlib import Path


def test_there_is_a_target_for_each_machine_and_debian_and_some_can_be_chosen() -> None:
    names = ["deb12-arm64", "deb13-arm64", "deb12-amd64", "deb13-amd64"]
    assert [target.name for target in targets([], [])] == names
    assert [target.name for target in targets(["arm64"], ["3.13"])] == ["deb13-arm64"]


@pytest.mark.parametrize(
    ("wheel", "least"),
    [
        ("a-1-py3-none-any.whl", "2.17"),
        ("a-1-cp311-abi3-manylinux_2_34_aarch64.whl", "2.34"),
        ("a-1-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl", "2.27"),
        ("a-1-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.whl", "2.17"),
    ],
)
def test_a_package_needs_the_glibc_of_its_neediest_wheel(wheel: str, least: str) -> None:
    assert glibc([wheel, "b-1-cp311-cp311-manylinux2014_x86_64.whl"]) == least


@pytest.mark.parametrize(
    ("version", "written"),
    [
        ("1.4.0", "1.4.0"),
        ("1.4.0rc1", "1.4.0~rc1"),
        ("1.4.0.dev3", "1.4.0~dev3"),
        ("1.4.0.post1", "1.4.0.post1"),
    ],
)
def test_what_comes_before_a_release_sorts_before_it_for_dpkg_too(version: str, written: str) -> None:
    assert debian_version(version, "1+deb12") == f"{written}-1+deb12"


def test_a_locks_lines_are_taken_as_the_target_would_and_not_as_this_machine(tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text(
        "# a comment\n"
        "a==1 ; python_full_version < '3.12' \\\n    --hash=sha256:aa \\\n    --hash=sha256:ab\n"
        "a==2 ; python_full_version >= '3.12' \\\n    --hash=sha256:ac\n"
        "b==3 ; platform_machine == 'aarch64' \\\n    --hash=sha256:ba\n"
    )
    assert pins(Target("amd64", "3.13"), lock) == ["a==2 --hash=sha256:ac"]
    assert pins(Target("arm64", "3.11"), lock) == [
        "a==1 --hash=sha256:aa --hash=sha256:ab",
        "b==3 --hash=sha256:ba",
    ]


def test_a_release_says_its_version_and_that_of_its_data_folder() -> None:
    from agent import __version__
    from agent.store.forms import VERSION

    source = Source(HERE, ".post1")
    assert (source.version, source.data_folder) == (f"{__version__}.post1", VERSION)


def test_its_time_is_that_which_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert Source(HERE).epoch == 1_700_000_000
