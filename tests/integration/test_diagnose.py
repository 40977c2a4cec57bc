"""A bundle of diagnostics: what it holds, and that no secret is in it, wherever one stands."""

from __future__ import annotations

import tarfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest

from agent.trust.signing import generate

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., tuple[int, str, str]]

SECRETS = {
    "config": "hunter2-config",
    "url": "hunter2-url",
    "login": "hunter2-login",
    "environment": "hunter2-environment",
    "credential": "hunter2-credential",
}
CONFIG = """
[device]
id = "d"
[store]
path = "data"
[mqtt]
host = "broker.example"
username = "d"
password = "hunter2-config"
key_file = "tls.key"
cert_file = "tls.pem"
ca_file = "ca.pem"
[trust]
device_key = "device.key"
unsigned = true
[[pipelines]]
name = "door"
model = "glyphs"
source = { kind = "rtsp", url = "rtsp://admin:hunter2-url@cam.example/1" }
[[pipelines]]
name = "yard"
model = "glyphs"
source = { kind = "http_mjpeg", url = "http://cam.example/2", login = "login.txt" }
"""


def opened(path: Path) -> dict[str, bytes]:
    found = {}
    with tarfile.open(path) as archive:
        for member in archive:
            file = archive.extractfile(member)
            assert file is not None
            found[Path(member.name).name] = file.read()
    return found


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "login.txt").write_text("admin:hunter2-login\n")
    (tmp_path / "device.key").write_bytes(generate()[0])
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "mqtt-password").write_text("hunter2-credential\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    monkeypatch.setenv("SOME_SERVICE_TOKEN", "hunter2-environment")
    config = tmp_path / "agent.toml"
    config.write_text(CONFIG)
    return config


def test_no_secret_leaves_with_a_bundle_and_what_helps_is_in_it(
    run: Run, config: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.tar.gz"
    code, said, _ = run("diagnose", "--config", config, "--out", out, "--json")
    assert (code, orjson.loads(said)["bytes"]) == (0, out.stat().st_size)
    assert out.stat().st_mode & 0o777 == 0o600
    parts = opened(out)
    whole = b"".join(parts.values())
    assert not [name for name, secret in SECRETS.items() if secret.encode() in whole]
    assert b"PRIVATE KEY" not in whole
    told = tomllib.loads(parts["config.toml"].decode())
    assert told["mqtt"]["host"] == "broker.example"
    assert told["pipelines"][0]["source"]["url"] == "rtsp://***@cam.example/1"
    assert orjson.loads(parts["machine.json"])["disk"]["free"] > 0
    assert orjson.loads(parts["passport.json"])["v"] == 1
    assert orjson.loads(parts["report.json"])["device"] == "d"
    assert {"status.json", "log.txt"} <= orjson.loads(parts["missing.json"]).keys()


def test_a_configuration_that_does_not_hold_costs_only_what_needs_it(run: Run, tmp_path: Path) -> None:
    config, out = tmp_path / "agent.toml", tmp_path / "out.tar.gz"
    config.write_text("[mqtt]\npassword = 'hunter2-config'\nhost = 1\n")
    assert run("diagnose", "--config", config, "--out", out)[0] == 0
    parts = opened(out)
    assert {"versions.json", "machine.json", "missing.json"} <= parts.keys()
    assert b"mqtt.host" in parts["missing.json"]
    assert b"hunter2" not in b"".join(parts.values())


def test_a_file_that_is_there_is_not_written_over(run: Run, config: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tar.gz"
    out.write_text("mine")
    code, _, said = run("diagnose", "--config", config, "--out", out)
    assert (code, out.read_text()) == (1, "mine")
    assert said.startswith("edge-agent: write ")
