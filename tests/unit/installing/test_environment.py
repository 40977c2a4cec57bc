"""From where the service can run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from agent.errors import AgentError
from agent.installing.environment import Environment, _hidden_by, here, refuse_hidden


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    folder = tmp_path / "venv/bin"
    folder.mkdir(parents=True)
    (folder / "edge-agent").touch()
    return folder


def test_one_without_the_program_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match="there is no edge-agent"):
        refuse_hidden(Environment(tmp_path, tmp_path, tmp_path))


@pytest.mark.parametrize(
    ("path", "hidden"),
    [
        (("/root", ".pyenv/versions/3.11.7/bin/python3.11"), "/root"),
        (("/home", "anna/venv"), "/home"),
        (("/tmp", "venv"), "/tmp"),
        (("/opt", "edge-agent"), ""),
        (("/homes", "venv"), ""),
        (("/usr/bin", "python3"), ""),
    ],
)
def test_what_the_unit_hides_is_known(path: tuple[str, str], hidden: str) -> None:
    assert _hidden_by(Path(*path)) == hidden


def test_a_python_below_a_home_is_refused_with_the_way_out(programs: Path) -> None:
    python = Path("/root", ".pyenv/bin/python3")
    with pytest.raises(AgentError, match=r"its Python lies below /root.*/opt/edge-agent"):
        refuse_hidden(Environment(programs, python, programs), hidden=("/root",))


def test_one_that_others_cannot_read_is_refused(programs: Path) -> None:
    python = Path(shutil.which("sh") or "/bin/sh").resolve()
    programs.parent.chmod(0o700)
    with pytest.raises(AgentError, match=r"cannot be read.*chmod -R a\+rX"):
        refuse_hidden(Environment(programs, python, python), hidden=())


def test_this_one_is_found() -> None:
    found = here()
    assert (found.package / "installing").is_dir()
    assert found.programs.is_dir()
