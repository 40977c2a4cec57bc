"""edge-agent init: what it finds, what it writes, and that what it writes works."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest

from agent.cli.setup.writing import write
from agent.config import settings as config
from agent.errors import AgentError
from agent.fleet.keys import make_keys
from tests.simulators.operating import operator

if TYPE_CHECKING:
    from tests.simulators.cameras import Cameras

HERE = 'store.path = "data"\n'


def checked(machine: Cameras, path: Path) -> None:
    """The file passes check as it is, but for the data folder, which is not to be this user's own."""
    assert path.read_text().startswith(f"#:schema ./{path.stem}.schema.json\n")
    schema = json.loads(path.with_suffix(".schema.json").read_text())
    jsonschema.validate(tomllib.loads(path.read_text()), schema)
    ours = path.with_name("ours.toml")
    ours.write_text(HERE + path.read_text())
    done = machine.run("check", "--config", str(ours))
    assert (done.returncode, done.stderr) == (0, "")


def uncommented(text: str) -> str:
    """Take one sign away from each line whose comment is no sentence."""
    return "\n".join(
        line[1:] if line.startswith("#") and line[1:2] not in {" ", ":", ""} else line
        for line in text.splitlines()
    )


def test_without_a_camera_the_synthetic_one_is_written_and_it_passes_check(
    machine: Cameras, tmp_path: Path
) -> None:
    path = tmp_path / "agent.toml"
    done = machine.run("init", "--output", str(path))
    assert (done.returncode, done.stderr) == (0, "")
    assert f"edge-agent check --config {path}" in done.stdout
    assert f"edge-agent run --config {path}" in done.stdout
    settings = config.parse(path.read_text(), "agent.toml")
    [pipeline] = settings.pipelines
    assert (pipeline.model, settings.source_of(pipeline).kind) == ("shapes", "synthetic")
    checked(machine, path)
    assert sorted(found.name for found in tmp_path.glob("*agent*")) == ["agent.schema.json", "agent.toml"]


def test_each_camera_gets_a_pipeline_by_its_stable_name_and_it_passes_check(
    machine: Cameras, tmp_path: Path
) -> None:
    machine.plug(0, 'Front "Cam" {x}')
    machine.name(0, "usb-Front_1-video-index0")
    machine.plug(2, "Back", modes=("YUYV 64x48@30",))
    machine.plug(4, "Locked", open_error=13)
    path = tmp_path / "my.toml"
    done = machine.run("init", "--output", str(path), "--broker", "broker.example", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [camera["device"] for camera in told["cameras"]] == [
        "usb-Front_1-video-index0",
        "/dev/video2",
        "/dev/video4",
    ]
    assert told["cameras"][2]["problem"] == "permission denied"
    assert told["written"] == [str(path), str(tmp_path / "my.schema.json")]
    settings = config.parse(path.read_text(), "my.toml")
    assert [(one.name, settings.source_of(one).options) for one in settings.pipelines] == [
        ("camera1", {"device": "usb-Front_1-video-index0"}),
        ("camera2", {"device": "/dev/video2"}),
    ]
    assert settings.mqtt is not None
    assert settings.mqtt.host == "broker.example"
    assert "#   YUYV 640x480, 320x240\n#   MJPG 320x240, 1280x720\n" in path.read_text()
    checked(machine, path)


def test_keys_that_are_there_are_used_and_without_them_the_way_to_them_is_told(
    machine: Cameras, tmp_path: Path
) -> None:
    path = tmp_path / "agent.toml"
    words = ["init", "--output", str(path), "--broker", "broker.example", "--id", "gate-7", "--force"]
    done = machine.run(*words)
    assert f"edgectl init {tmp_path / 'keys'} --device gate-7" in done.stdout
    assert "edgectl collect --unsigned --host broker.example" in done.stdout
    assert config.parse(path.read_text(), "agent.toml").trust.unsigned
    make_keys(tmp_path / "keys", ["gate-7"])
    done = machine.run(*words)
    assert f"edgectl collect --keys {tmp_path / 'keys'} --host broker.example" in done.stdout
    settings = config.parse(path.read_text(), "agent.toml")
    assert (settings.device.id, settings.trust.unsigned) == ("gate-7", False)
    assert settings.trust.device_key == "keys/devices/gate-7.key"
    assert settings.models.root == ""
    checked(machine, path)
    operator(tmp_path / "keys")
    machine.run(*words)
    assert config.parse(path.read_text(), "agent.toml").models.root == "keys/tuf/meta/1.root.json"
    checked(machine, path)


def test_what_is_commented_out_is_valid_too(machine: Cameras, tmp_path: Path) -> None:
    machine.plug(3, "Locked", open_error=13)
    path = tmp_path / "agent.toml"
    machine.run("init", "--output", str(path))
    settings = config.parse(uncommented(path.read_text()), "agent.toml")
    kinds = [settings.source_of(one).kind for one in settings.pipelines]
    assert kinds == ["synthetic", "camera", "rtsp", "synthetic_sensor"]
    assert settings.mqtt is not None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--output", "agent.toml"],
            "agent.toml: it is there already. Name another with --output, or replace it",
        ),
        (
            ["--output", "no/agent.toml"],
            "agent.toml: no such file or directory. Name a folder that is there",
        ),
        (
            ["--output", "new.toml", "--model", "nosuch"],
            "choose model nosuch: there is no such file, nor such",
        ),
        (["--output", "new.toml", "--broker", "a\0b"[:1] + "\x7f"], "no valid TOML"),
    ],
)
def test_what_cannot_be_written_is_told_in_one_line_and_nothing_is_left(
    machine: Cameras, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "agent.toml").write_text("mine")
    done = machine.run("init", *words)
    assert done.returncode in {1, 78}
    assert len(done.stderr.splitlines()) == 1
    assert said in done.stderr
    assert (tmp_path / "agent.toml").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["agent.toml", "machine"]


@pytest.mark.parametrize("name", [".", "/", "a\nb.toml", "\udcff.toml"])
def test_a_name_that_no_file_should_have_is_refused_in_one_line(
    machine: Cameras, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = machine.run("init", "--output", name)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "no file can be so called" in done.stderr


def test_a_schema_that_is_there_is_not_replaced_and_a_link_is_followed_only_by_force(
    machine: Cameras, tmp_path: Path
) -> None:
    (tmp_path / "x.schema.json").write_text("mine")
    done = machine.run("init", "--output", str(tmp_path / "x.toml"))
    assert (done.returncode, (tmp_path / "x.schema.json").read_text()) == (1, "mine")
    assert "x.schema.json: it is there already" in done.stderr
    link = tmp_path / "link.toml"
    link.symlink_to(tmp_path / "target.toml")
    assert machine.run("init", "--output", str(link)).returncode == 1
    assert machine.run("init", "--output", str(link), "--force").returncode == 0
    assert link.is_symlink()
    assert config.parse((tmp_path / "target.toml").read_text(), "target.toml").pipelines


def test_what_is_no_file_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write(fifo, "passport", replace=True)
        assert os.read(reader, 100) == b"passport"
        assert fifo.is_fifo()
    finally:
        os.close(reader)
    for folder in (tmp_path, Path("/"), Path()):
        with pytest.raises(AgentError, match="is a directory"):
            write(folder, "passport", replace=True)


def test_force_replaces_the_file(machine: Cameras, tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_text("mine")
    assert machine.run("init", "--output", str(path), "--force").returncode == 0
    assert config.parse(path.read_text(), "agent.toml").pipelines
