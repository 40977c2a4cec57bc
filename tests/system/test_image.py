"""The image: Dockerfile.arm64 built unchanged, and run with no network, rights or root to write on."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.simulators.running_agent import balanced
from tests.system.building import REPOSITORY
from tests.system.emulated import register
from tests.system.oci import Images

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.image, pytest.mark.timeout(1800)]

CACHE = Path(os.environ.get("EDGE_AGENT_TESTS_IMAGES", REPOSITORY / "build" / "image"))
TAG, NAME = "edge-agent:test", "edge-agent-test"
USER = 10001
CONFIG = """
[device]
id = "gate-1"

[deadlines]
start_s = 600
load_s = 600
open_s = 600
capture_s = 600
invoke_s = 600
learn = false

[[pipelines]]
name = "door"
model = "glyphs"
source = { kind = "synthetic", width = 160, height = 120, fps = 10 }
"""
"""Nothing is late where a processor is emulated beside others' work."""
MB = 1e6
MOST_ADDED_MB = {"arm64": (95, 240), "amd64": (130, 340)}
"""What the image may add to its base: compressed, and on the disk."""


def built(arch: str) -> Images:
    images = Images(CACHE / arch, arch)
    if arch == "arm64":
        register()
    images.base()
    images.build(TAG, "agent")
    return images


@pytest.fixture(scope="module")
def board() -> Images:
    """The image for 64-bit ARM, which runs emulated."""
    return built("arm64")


@pytest.fixture(scope="module")
def native() -> Images:
    """The same file's image for this machine."""
    return built("amd64")


@pytest.fixture
def volumes(tmp_path: Path) -> tuple[str, ...]:
    """Options that give a container its configuration and its data, which lie in ``tmp_path``."""
    settings, data = tmp_path / "settings", tmp_path / "data"
    settings.mkdir()
    (settings / "agent.toml").write_text(CONFIG)
    data.mkdir()
    os.chown(data, USER, USER)
    return ("-v", f"{settings}:/etc/edge-agent:ro", "-v", f"{data}:/var/lib/edge-agent", "--network", "none")


@pytest.fixture
def agent(board: Images, volumes: tuple[str, ...]) -> Iterator[Images]:
    """The agent in a container for 64-bit ARM, started."""
    board.start(NAME, TAG, options=(*volumes, "--memory", "384m"))
    yield board
    board.remove(NAME)


def status(images: Images) -> dict[str, Any] | None:
    """Run the image's own health check; give what it says when it says that all is well."""
    done = images.podman("exec", NAME, *check(images))
    return json.loads(done.stdout) if done.returncode == 0 else None


def check(images: Images) -> list[str]:
    kind, *command = images.inspect(TAG)["Docker"]["config"]["Healthcheck"]["Test"]
    assert kind == "CMD"
    return [str(word) for word in command]


def inferring(images: Images, more_than: int = 20) -> dict[str, Any]:
    """Wait until the agent has inferred some frames since its start, and is healthy."""

    def told() -> dict[str, Any] | None:
        said = status(images)
        return said if said and said["pipelines"][0]["ledger"]["inferred"] > more_than else None

    return until(told, images)


def until(told: Callable[[], dict[str, Any] | None], images: Images) -> dict[str, Any]:
    end = time.monotonic() + 900
    while time.monotonic() < end:
        if said := told():
            return said
        time.sleep(1)
    raise AssertionError(images.podman("logs", NAME).stdout)


def newest_ledger(data: Path, epoch: str) -> dict[str, Any]:
    """Read the last ledger that the pipeline has on its disk."""
    ledger: dict[str, Any] = {}
    for path in sorted(data.glob(f"segments/result-{epoch}-*.db")):
        for (block,) in sqlite3.connect(path).execute("SELECT data FROM blocks ORDER BY first"):
            ledger = json.loads(zlib.decompress(block))["ledgers"].get("door", ledger)
    return ledger


@pytest.mark.parametrize("name", ["board", "native"])
def test_the_image_is_small_and_says_what_it_is(name: str, request: pytest.FixtureRequest) -> None:
    images: Images = request.getfixturevalue(name)
    said = images.inspect(TAG)["OCIv1"]
    assert said["architecture"] == images.arch
    assert said["config"]["User"] == f"{USER}:{USER}"
    assert said["config"]["StopSignal"] == "SIGTERM"
    assert said["config"]["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"
    on_disk, travelling = images.sizes(TAG)
    most_travelling, most_on_disk = MOST_ADDED_MB[images.arch]
    print(f"\n{images.arch}: MB by layer: on disk {megabytes(on_disk)}, compressed {megabytes(travelling)}")
    assert sum(travelling[1:]) / MB <= most_travelling
    assert sum(on_disk[1:]) / MB <= most_on_disk


def megabytes(sizes: list[int]) -> str:
    return f"{' '.join(f'{size / MB:.1f}' for size in sizes)} (added {sum(sizes[1:]) / MB:.1f})"


def test_on_the_board_all_models_give_the_right_answers(board: Images) -> None:
    done = board.run(TAG, "doctor", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    done = board.run(TAG, "infer", "glyphs", "--source", "synthetic", "--frames", "3")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(done.stdout.splitlines()) >= 3


def test_the_agent_serves_stops_in_time_and_goes_on_with_its_folder(
    agent: Images, tmp_path: Path, volumes: tuple[str, ...]
) -> None:
    before = inferring(agent)
    began = time.monotonic()
    assert agent.podman("stop", "--time", "60", NAME).returncode == 0
    assert time.monotonic() - began < 50
    assert agent.podman("inspect", "--format", "{{.State.ExitCode}}", NAME).stdout.strip() == "0"
    ledger = newest_ledger(tmp_path / "data", before["store"]["epoch"])
    assert ledger["inferred"] >= before["pipelines"][0]["ledger"]["inferred"]
    assert balanced(ledger)
    assert (ledger["in_flight"], ledger["lost"]) == (0, 0)

    agent.podman("rm", NAME)
    agent.start(NAME, TAG, options=volumes)  # as after an update of the image
    after = inferring(agent)
    assert after["device"] == "gate-1"
    assert after["store"]["backlog"] > ledger["inferred"]  # of both epochs


def test_the_health_check_tells_an_agent_that_is_not_well(agent: Images) -> None:
    inferring(agent)
    agent.podman("exec", NAME, "sh", "-c", "rm /var/lib/edge-agent/agent.sock")
    assert status(agent) is None


def test_without_a_root_to_write_on_nothing_is_written_but_data(
    native: Images, volumes: tuple[str, ...]
) -> None:
    native.start(NAME, TAG, options=volumes)
    try:
        inferring(native)
        said = native.podman(
            "exec",
            NAME,
            "sh",
            "-c",
            "touch /opt/x; touch /tmp/x; id -u; grep -E 'CapBnd|NoNewPrivs' /proc/1/status",
        )
        assert said.stdout.split() == [str(USER), "CapBnd:", "0" * 16, "NoNewPrivs:", "1"]
        assert said.stderr.count("Read-only file system") == 2
        first = int(native.podman("inspect", "--format", "{{.State.Pid}}", NAME).stdout)
        print(f"\n{native.arch}: PSS, MB: {pss(first)}")
    finally:
        native.remove(NAME)


def pss(first: int) -> dict[str, float]:
    """What each process of a container has in memory, MB, by its module."""
    found = subprocess.run(["pgrep", "-P", str(first)], capture_output=True, text=True, check=True).stdout
    sizes = {}
    for pid in [first, *map(int, found.split())]:
        name = "worker" if b"agent.workers" in Path(f"/proc/{pid}/cmdline").read_bytes() else "supervisor"
        rollup = dict(
            line.split()[:2] for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
        )
        sizes[name] = int(rollup["Pss:"]) / 1000
    return sizes
