"""What ``check`` and ``doctor`` say of the models table."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from agent.cli import main
from agent.cli.device.settings import Loaded
from agent.cli.examining.models_check import examine
from agent.errors import ConfigInvalid
from tests.simulators.tuf_fleet import TufFleet

if TYPE_CHECKING:
    from pathlib import Path


def plan(folder: Path, more: str = "", root: bytes | None = None, mqtt: str = '[mqtt]\nhost = "b"\n') -> Path:
    (folder / "1.root.json").write_bytes(TufFleet().root if root is None else root)
    path = folder / "agent.toml"
    path.write_text(
        f'[store]\npath = "data"\n{mqtt}[trust]\nunsigned = true\n[models]\nroot = "1.root.json"\n{more}'
        '[[pipelines]]\nname = "door"\nmodel = ""\nsource = { kind = "synthetic" }\n'
    )
    return path


def said(path: Path) -> str:
    return examine(Loaded(path).plan())


def test_a_root_is_told_with_its_version_and_expiry(tmp_path: Path) -> None:
    assert said(plan(tmp_path)).startswith("root 1, until 20")
    assert "WARNING" not in said(plan(tmp_path, 'mirror = "https://mirror.example/fleet"\n'))


def test_an_expired_root_a_bare_mirror_and_no_way_to_come_are_warned_of(tmp_path: Path) -> None:
    old = TufFleet(datetime.now(UTC) - timedelta(days=800)).root
    assert "it has expired" in said(plan(tmp_path, root=old))
    assert "use https" in said(plan(tmp_path, 'mirror = "http://mirror.example"\n'))
    assert "nothing new can come" in said(plan(tmp_path, mqtt=""))


@pytest.mark.parametrize(
    "root", [b"", b"[]", b"{}", b'{"signed": {"_type": "timestamp"}}', b"\xff", b"x" * 70_000, b"[" * 60_000]
)
def test_what_is_no_root_metadata_is_refused_in_one_line(tmp_path: Path, root: bytes) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        said(plan(tmp_path, root=root))
    assert len(str(caught.value).splitlines()) == 1
    assert "1.root.json" in str(caught.value)


def test_a_root_that_is_not_there_and_a_mirror_without_an_address_are_refused(tmp_path: Path) -> None:
    path = plan(tmp_path, 'mirror = "mirror.example"\n')
    with pytest.raises(ConfigInvalid, match=r"agent\.toml:9: models\.mirror: no address of a web server"):
        said(path)
    path = plan(tmp_path)
    (tmp_path / "1.root.json").unlink()
    with pytest.raises(ConfigInvalid, match="No such file"):
        said(path)


def test_check_tells_of_models_and_of_pipelines_that_wait(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["check", "--config", str(plan(tmp_path)), "--json"]) == 0
    checks = {one["check"]: one for one in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["models"]["ok"]
    assert checks["pipeline door"]["detail"] == "it waits for the operator's first model"
    assert main.run(["check", "--config", str(plan(tmp_path, root=b"{}")), "--json"]) == 78
