"""What a worker keeps open, and what stays closed in the midst of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.confinement import landlock
from agent.confinement.paths import carved, named_files, open_to
from agent.sources import camera, images, video
from agent.types import Needs
from agent.workers.confining import _bundles
from agent.workers.spec import LaneSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES = st.sampled_from("abc")
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)

READS = """
import json, sys
from pathlib import Path
from agent.types import Needs
from agent.workers.confining import confine
from agent.workers.spec import LaneSpec

folder, hidden, wanted = json.loads(sys.argv[1])
options = {"gallery": str(Path(folder, "g.npy")), "vector": True}
spec = LaneSpec(pipeline="p", model="m", source="s", hidden=hidden, decoder=options)
held = confine(spec, [Needs(read=(folder,) if len(sys.argv) < 3 else ())])
found = {}
for path in wanted:
    try:
        Path(path).read_text() if Path(path).is_file() else list(Path(path).iterdir())
        found[path] = True
    except PermissionError:
        found[path] = False
print(json.dumps([held.landlock, found]))
"""


OWNER = """
import errno, socket, sys
from agent.types import Needs
from agent.confinement.confine import confine_owner

held = confine_owner([], Needs(can=sys.argv[1] == "can"))
told = []
for protocol in (1, 2):  # raw, and one above it
    try:
        socket.socket(29, socket.SOCK_RAW if protocol == 1 else socket.SOCK_DGRAM, protocol).close()
        told.append("open")
    except OSError as error:
        told.append("refused" if error.errno == errno.EPERM else "open")
print(held.seccomp, *told)
"""


def tree(root: Path, files: Sequence[str]) -> None:
    for name in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")


@given(kept=st.lists(PATHS, max_size=6), hidden=st.lists(PATHS, min_size=1, max_size=3))
def test_what_is_hidden_is_never_granted_and_all_the_rest_is(
    tmp_path_factory: pytest.TempPathFactory, kept: list[str], hidden: list[str]
) -> None:
    root = tmp_path_factory.mktemp("tree").resolve()
    tree(root, [f"{name}/file" for name in (*kept, *hidden)])
    closed = [str(root / name) for name in hidden]
    grants = list(carved(str(root), closed))

    def readable(path: Path) -> bool:
        above = {str(path), *map(str, path.parents)}
        return any(grant.path in above and grant.access & landlock.READ_FILE for grant in grants)

    for file in root.rglob("file"):
        within = any(str(file).startswith(f"{one}/") for one in closed)
        assert readable(file) != within, file


@pytest.mark.landlock
def test_secrets_inside_a_folder_of_pictures_stay_closed(tmp_path: Path) -> None:
    tree(tmp_path, ["a.jpg", "keys/device.key", "keys/deep/more", "other/b.jpg", "keys-old/c.jpg"])
    (tmp_path / "other" / "way").symlink_to(tmp_path / "keys")
    names = [
        "a.jpg",
        "keys",
        "keys/device.key",
        "keys/deep/more",
        "other/b.jpg",
        "other/way/device.key",
        "keys-old/c.jpg",
    ]
    wanted = [str(tmp_path / name) for name in names]
    given_ = json.dumps([str(tmp_path), [str(tmp_path / "keys")], wanted])
    done = subprocess.run([sys.executable, "-c", READS, given_], capture_output=True, text=True, check=True)
    abi, found = json.loads(done.stdout)
    assert abi == landlock.abi()
    read = {name for name, path in zip(names, wanted, strict=True) if found[path]}
    # The names in "keys" can be seen, as those of any folder above what is granted.
    assert read - {"keys"} == {"a.jpg", "other/b.jpg", "keys-old/c.jpg"}


@pytest.mark.landlock
def test_a_file_that_the_decoders_options_name_is_open_and_nothing_beside_it(tmp_path: Path) -> None:
    tree(tmp_path, ["g.npy", "h.npy"])
    wanted = [str(tmp_path / name) for name in ("g.npy", "h.npy")]
    for hidden, open_ in (([], True), ([wanted[0]], False)):
        given_ = json.dumps([str(tmp_path), hidden, wanted])
        command = [sys.executable, "-c", READS, given_, "nothing else"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert json.loads(done.stdout)[1] == {wanted[0]: open_, wanted[1]: False}


def test_only_texts_that_name_files_are_files(tmp_path: Path) -> None:
    tree(tmp_path, ["g.npy"])
    given_ = {"a": str(tmp_path / "g.npy"), "b": str(tmp_path), "c": "auto", "d": "", "e": "\0", "f": 1}
    assert named_files(given_) == (str(tmp_path / "g.npy"),)


def test_what_is_hidden_is_no_device_nor_in_a_folder_of_devices(tmp_path: Path) -> None:
    tree(tmp_path, ["data/state.db", "nodes/npu0"])
    (tmp_path / "way").symlink_to(tmp_path / "data")
    hidden = [str(tmp_path / "data")]
    for path in ("", "data", "data/state.db", "way", "nodes/../data"):
        assert open_to(hidden, [f"{tmp_path}/{path}"]) == (), path
    assert open_to(hidden, ["/dev/dri", f"{tmp_path}/nodes"]) == ("/dev/dri", f"{tmp_path}/nodes")


def granted(bundles: Path) -> list[str]:
    spec = LaneSpec(
        pipeline="p", model="m", source="s", hidden=(str(bundles.parents[1]),), bundles=str(bundles)
    )
    return [grant.path for grant in _bundles(spec)]


def test_proved_bundles_are_granted_unless_a_link_leads_away(tmp_path: Path) -> None:
    (tmp_path / "private/data/models/bundles").mkdir(parents=True)
    (tmp_path / "data").symlink_to(tmp_path / "private/data")  # as systemd has it with DynamicUser
    for data in ("data", "private/data"):
        bundles = tmp_path / data / "models/bundles"
        assert granted(bundles) == [str(bundles)]
    (tmp_path / "keys/bundles").mkdir(parents=True)
    for name in ("models", "models/bundles"):
        other = tmp_path / name.replace("/", "-") / "models/bundles"
        other.parent.mkdir(parents=True)
        if name == "models":
            other.parent.rmdir()
            other.parent.symlink_to(tmp_path / "keys")
        else:
            other.symlink_to(tmp_path / "keys/bundles")
        assert other.is_dir()
        assert granted(other) == []
    assert list(_bundles(LaneSpec(pipeline="p", model="m", source="s"))) == []


def test_a_camera_needs_its_node_or_without_a_name_every_one() -> None:
    named = camera.needs(camera.Options(device="/dev/video7"))
    assert named == Needs(devices=("/dev/video7",))
    by_id = camera.needs(camera.Options(device="usb-Cam-index0"))
    assert by_id == Needs(devices=("/dev/v4l/by-id/usb-Cam-index0",))


@pytest.mark.cameras
def test_a_camera_without_a_name_needs_all_that_there_are() -> None:
    from tests.simulators.cameras import Cameras

    here = Cameras.here()
    here.plug(0)
    here.plug(3)
    assert camera.needs(camera.Options()).devices == ("/dev/video0", "/dev/video3")


def test_a_recording_needs_its_file(tmp_path: Path) -> None:
    assert video.needs(video.Options(path="x.mp4")) == Needs(read=("x.mp4",))


def test_pictures_need_their_folders_and_where_links_lead(tmp_path: Path) -> None:
    tree(tmp_path, ["shots/a.png", "shots/deep/b.png", "far/c.png"])
    link = tmp_path / "shots" / "c.png"
    link.symlink_to(tmp_path / "far" / "c.png")
    needs = images.needs(images.Options(paths=(str(tmp_path / "shots"),)))
    assert str(tmp_path / "shots") in needs.read
    assert str(link) in needs.read
    assert not needs.devices
    assert not needs.network
    alone = images.needs(images.Options(paths=(str(tmp_path / "far" / "c.png"),)))
    assert all(Path(path) in {tmp_path / "far", tmp_path / "far" / "c.png"} for path in alone.read)


@pytest.mark.parametrize(("needs", "raw"), [("can", "open"), ("none", "refused")])
def test_a_process_that_owns_a_bus_may_open_its_raw_sockets_and_no_other(needs: str, raw: str) -> None:
    told = subprocess.run(
        [sys.executable, "-c", OWNER, needs], capture_output=True, text=True, check=True, timeout=60
    ).stdout.split()
    if told[0] != "True":
        pytest.skip("the kernel has no filters")
    assert told[1:] == [raw, "refused"]
