"""A kill in the middle of a change: what counted before counts, or what was signed, nothing between."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.fleet.repository import begin
from agent.fleet.repository.repository import opened
from tests.simulators.operating import add, ask, cheap_keys, make_bundle, meta, publish, seen

if TYPE_CHECKING:
    from agent.fleet.repository.repository import Repository


class Cut(Exception):
    """The power goes."""


def cut_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the power go after so many files have got their names."""
    left = [steps]
    real = Path.rename

    def rename(self: Path, target: Path) -> Path:
        if left[0] <= 0:
            raise Cut
        left[0] -= 1
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)


@pytest.mark.parametrize("what", ["root", "targets", "models", "fleet", "online", "publish", "begin"])
def test_a_kill_between_any_two_steps_leaves_what_the_next_command_goes_on_with(
    made: Path, tmp_path: Path, what: str
) -> None:
    source = make_bundle(tmp_path / "b")

    def work(repository: Repository) -> None:
        if what == "publish":
            add(repository, source)
        else:
            repository.rotate(what)  # type: ignore[arg-type]
        repository.commit()

    done = False
    for steps in range(40):
        folder = tmp_path / f"{what}-{steps}"
        if what != "begin":
            shutil.copytree(made, folder)
            first = meta(folder, "1.root.json").read_bytes()
        with pytest.MonkeyPatch.context() as patch, cheap_keys():
            cut_after(steps, patch)
            try:
                if what == "begin":
                    begin.begin(folder, ask)
                else:
                    with opened(folder, ask) as repository:
                        work(repository)
                done = True
            except Cut:
                done = False
        with cheap_keys():
            if what == "begin":
                begin.begin(folder, ask)
                first = meta(folder, "1.root.json").read_bytes()
            with opened(folder, ask) as repository:
                repository.renew()
                repository.commit()
                assert not repository.pending
            found = seen(folder, first)
            assert found.problems == []
            publish(folder, source)
            with opened(folder, ask) as repository:
                for rotated in ("root", "online", "targets", "models", "fleet") if steps % 4 == 1 else ():
                    repository.rotate(rotated)
                repository.commit()
            assert seen(folder, first).bundles.keys() == {"shapes@1.0.0"}
        if done:
            break
    assert done
    assert steps > 3
