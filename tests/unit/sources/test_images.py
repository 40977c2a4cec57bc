"""Pictures and arrays as a source."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from agent.errors import InputRejected, SourceEnded
from agent.sources.images import Options, build

if TYPE_CHECKING:
    from agent.types import Array, Source


def save(path: Path, level: int = 100, size: tuple[int, int] = (20, 30)) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((*size, 3), level, np.uint8))
    return str(path)


def source(*paths: str | Path, loop: bool = False, start: int = 0) -> Source:
    return build(Options(paths=tuple(map(str, paths)), loop=loop), start=start)


def origins(images: Source) -> list[str]:
    names: list[str] = []
    while True:
        try:
            frame = images.read(0)
        except SourceEnded:
            return names
        assert frame is not None
        names.append(Path(frame.origin).name)


def only(path: str | Path) -> Array:
    frame = source(path).read(0)
    assert frame is not None
    return frame.data


def rejected(path: str | Path) -> InputRejected:
    with pytest.raises(InputRejected) as caught:
        source(path).read(0)
    assert str(path) in caught.value.subject
    assert caught.value.hint
    return caught.value


def test_a_file_whose_name_no_record_can_hold_is_refused_and_the_next_follows(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / os.fsdecode(b"a\xff.png"))
    save(tmp_path / "b.png")
    images = source(tmp_path)
    with pytest.raises(InputRejected, match=r"a\\udcff.png: its name is not UTF-8") as caught:
        images.read(0)
    str(caught.value).encode()
    assert origins(images) == ["b.png"]


def test_a_folder_gives_its_pictures_in_natural_order_whatever_their_case(tmp_path: Path) -> None:
    for name in ("b10.png", "b2.PNG", "B1.jpg", "a.bmp", "c.ppm", "d.webp", "e.JPEG"):
        save(tmp_path / name.lower())
        (tmp_path / name.lower()).rename(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "folder.png").mkdir()
    save(tmp_path / "below" / "z.png")
    assert origins(source(tmp_path)) == ["a.bmp", "B1.jpg", "b2.PNG", "b10.png", "c.ppm", "d.webp", "e.JPEG"]


def test_files_folders_and_patterns_keep_the_order_they_are_given_in(tmp_path: Path) -> None:
    for name in ("x/1.png", "x/2.png", "y/deep/3.png", "y/4.png", "5.png"):
        save(tmp_path / name)
    (tmp_path / "y" / "readme.md").write_text("")
    found = origins(source(tmp_path / "5.png", tmp_path / "y" / "**", tmp_path / "x", tmp_path / "x" / "*2*"))
    assert found == ["5.png", "4.png", "3.png", "1.png", "2.png", "2.png"]


def test_a_name_that_looks_like_a_pattern_is_taken_as_it_is_when_it_exists(tmp_path: Path) -> None:
    save(tmp_path / "shot[1].png")
    save(tmp_path / "shot1.png")
    assert origins(source(tmp_path / "shot[1].png")) == ["shot[1].png"]


@pytest.mark.parametrize("path", ["nothing.png", "*.png", "empty", "a\0b.png", "x" * 300])
def test_paths_that_lead_nowhere_are_refused_with_a_hint(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputRejected) as caught:
        source(path)
    assert caught.value.hint
    assert "\n" not in str(caught.value)


def test_one_bad_file_is_rejected_and_the_next_is_read_under_its_own_number(tmp_path: Path) -> None:
    first, last = save(tmp_path / "1.png"), save(tmp_path / "4.png", 200)
    (tmp_path / "2.png").write_bytes(b"not a picture")
    images = source(first, tmp_path / "2.png", tmp_path / "3-missing.png", last)
    assert images.read(0)
    for name in ("2.png", "3-missing.png"):
        with pytest.raises(InputRejected, match=name):
            images.read(0)
    frame = images.read(0)
    assert frame is not None
    assert (frame.seq, frame.origin) == (3, last)
    with pytest.raises(SourceEnded, match="4 files"):
        images.read(0)


def test_a_loop_begins_again_and_resumes_in_its_middle(tmp_path: Path) -> None:
    for number in range(3):
        save(tmp_path / f"{number}.png")
    images = source(tmp_path, loop=True, start=10**9)
    frames = [frame for frame in (images.read(0) for _ in range(4)) if frame]
    assert [frame.seq for frame in frames] == [10**9 + n for n in range(4)]
    assert [Path(frame.origin).name for frame in frames] == ["1.png", "2.png", "0.png", "1.png"]


@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp", "webp", "ppm"])
@pytest.mark.parametrize("keep", [0, 1, 20, 0.5, -3])
def test_a_file_that_is_cut_short_is_rejected(suffix: str, keep: float, tmp_path: Path) -> None:
    path = tmp_path / f"cut.{suffix}"
    rng = np.random.default_rng(0)
    cv2.imwrite(str(path), rng.integers(0, 255, (50, 70, 3), np.uint8))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep) if keep == 0.5 else int(keep)])
    rejected(path)


def test_grey_deep_and_transparent_pictures_become_bgr(tmp_path: Path) -> None:
    pictures: list[Array] = [
        np.full((4, 5), 128, np.uint8),
        np.full((4, 5, 3), 128 * 257, np.uint16),
        np.full((4, 5, 4), 128, np.uint8),
    ]
    for number, picture in enumerate(pictures):
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), picture)
        np.testing.assert_array_equal(only(path), np.full((4, 5, 3), 128, np.uint8))


def test_a_picture_is_turned_upright_as_its_exif_data_says(tmp_path: Path) -> None:
    encoded = cv2.imencode(".jpg", np.zeros((20, 40, 3), np.uint8))[1].tobytes()
    tiff = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    exif = b"Exif\0\0" + tiff
    path = tmp_path / "turned.jpg"
    path.write_bytes(encoded[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + encoded[2:])
    assert only(path).shape == (40, 20, 3)


def test_a_picture_too_large_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 30_000, 20_000, 8, 2, 0, 0, 0)
    path = tmp_path / "bomb.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    )
    assert "100 megapixels" in rejected(path).problem


def test_a_file_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse.png"
    with path.open("wb") as file:
        file.truncate(400_000_000)
    assert "too many" in rejected(path).problem


def test_formats_that_we_do_not_bound_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "scan.png"
    path.write_bytes(cv2.imencode(".tiff", np.zeros((4, 5, 3), np.uint8))[1].tobytes())
    assert "Convert" in rejected(path).hint


def test_what_is_no_file_is_rejected_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert "regular file" in rejected(tmp_path / "pipe.png").problem


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_rejected(tmp_path: Path) -> None:
    path = save(tmp_path / "secret.png")
    Path(path).chmod(0)
    assert "permission denied" in rejected(path).problem


def test_an_rgb_array_becomes_a_bgr_picture(tmp_path: Path) -> None:
    path = tmp_path / "red.npy"
    np.save(path, np.full((4, 5, 3), (250, 20, 10), np.uint8))
    picture = only(path)
    assert picture[0, 0].tolist() == [10, 20, 250]
    assert picture.flags.c_contiguous


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype=np.float32).reshape(4, 3),
        np.arange(12, dtype=np.int8).reshape(1, 12),
        np.zeros((1, 4, 5, 3), np.uint8),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(3, dtype=">i2"),
        np.array(1.5),
    ],
)
def test_any_other_array_is_passed_through(array: Array, tmp_path: Path) -> None:
    path = tmp_path / "window.npy"
    np.save(path, array)
    data = only(path)
    np.testing.assert_array_equal(data, array)
    assert data.dtype.isnative
    assert data.flags.c_contiguous
    assert data.flags.writeable
    assert type(data) is np.ndarray


def test_an_array_that_is_damaged_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "text.npy"
    np.save(path, np.array(["a", "b"]))
    assert "numbers" in rejected(path).problem
