"""A library that cannot be used gives a reason in one line, whatever is wrong with it, and harms nobody."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.backends._runtimes import choose
from agent.delegates import _elf, _find, external
from agent.errors import DelegateLost
from tests import runtimes
from tests.simulators import lying_delegate
from tests.simulators.lying_delegate import LyingDelegate

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]
_CLASS, _MACHINE = 4, 18

# Opens each library whose path it reads, and says what came of it.
OPENER = """
import sys
import tracemalloc
from agent.backends._runtimes import choose
from agent.delegates import external
from agent.errors import DelegateLost

load = choose(sys.argv[1]).module.load_delegate
for line in sys.stdin:
    delegate = external.build(external.Options(library=line.rstrip("\\n")))
    try:
        delegate.open(load)
    except DelegateLost as error:
        print(error, flush=True)
    else:
        print("opened", flush=True)
"""


class Opener:
    """A process that opens libraries, and may die of it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", OPENER, runtimes.CHOSEN],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def open(self, path: Path) -> str:
        """Give what it says; "" when it has died."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().rstrip("\n")

    def end(self) -> str:
        """End it, and give what it wrote besides."""
        return self._process.communicate()[1]


@pytest.fixture(scope="module")
def opener() -> Iterator[Opener]:
    one = Opener()
    yield one
    assert one.end() == ""


@pytest.fixture(scope="module")
def whole() -> bytes:
    return lying_delegate.library().read_bytes()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("libraries")


def compiled(folder: Path, name: str, source: str, *flags: str) -> Path:
    if not shutil.which("cc"):
        pytest.skip("install a C compiler (Debian: apt-get install gcc libc6-dev)")
    path = folder / name
    command = ["cc", "-shared", "-fPIC", "-x", "c", "-o", str(path), "-", "-x", "none", *flags]
    subprocess.run(command, input=source, text=True, check=True)
    return path


def opened(path: Path | str, **options: Any) -> str:
    """Open a library in this process; give the error."""
    delegate = external.build(external.Options(library=str(path), **options))
    with pytest.raises(DelegateLost) as caught:
        delegate.open(choose(runtimes.CHOSEN).module.load_delegate)
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return str(caught.value)


@settings(max_examples=60)
@given(data=st.data())
def test_a_library_that_is_cut_short_anywhere_is_refused_and_kills_nobody(
    data: st.DataObject, whole: bytes, folder: Path, opener: Opener
) -> None:
    length = data.draw(st.integers(0, len(whole) - 1))
    path = folder / f"libcut{length}.so"
    path.write_bytes(whole[:length])
    said = opener.open(path)
    assert said.startswith(f"open delegate external: {path} is ")
    assert ("cut short" in said) is (length > 0)


def test_every_cut_is_seen_without_the_library_being_loaded(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "libcut.so"
    path.write_bytes(whole)
    assert _elf.check(str(path)) == ""
    for length in range(len(whole) - 1, -1, -1):
        os.truncate(path, length)
        assert _elf.check(str(path)), length


@given(data=st.data())
def test_headers_may_hold_anything(data: st.DataObject, whole: bytes, folder: Path) -> None:
    at = data.draw(st.integers(0, 500))
    content = bytearray(whole)
    content[at : at + 8] = data.draw(st.binary(min_size=8, max_size=8))
    path = folder / "libmutated.so"
    path.write_bytes(content)
    assert "\n" not in _elf.check(str(path))


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_library_of_a_32_bit_board_is_measured_as_well(tmp_path: Path, order: str) -> None:
    ident = b"\x7fELF" + bytes([1, "<>".index(order) + 1, 1]) + bytes(9)
    header = struct.pack(order + "HHIIIIIHHHHHH", 3, 40, 1, 0, 52, 0, 0, 52, 32, 2, 40, 0, 0)
    segments = [(1, 0, 0, 0, 116, 116, 5, 4096), (1, 116, 8192, 8192, 84, 200, 6, 4096)]
    whole = ident + header + b"".join(struct.pack(order + "IIIIIIII", *one) for one in segments) + bytes(84)
    path = tmp_path / "libarm.so"
    kind = (1, "<>".index(order) + 1, 40)
    for length in range(1, len(whole) + 1):
        path.write_bytes(whole[:length])
        assert ("cut short" in _elf.check(str(path), kind)) is (length < len(whole)), length
    assert "is for 32-bit ARM, and this is" in _elf.check(str(path))


def test_after_all_that_a_sound_one_opens_in_the_same_process(opener: Opener) -> None:
    assert opener.open(lying_delegate.library()) == "opened"


@pytest.mark.parametrize(
    ("at", "value", "words"),
    [
        (_MACHINE, struct.pack("=H", 8), "is for another machine (ELF number 8)"),
        (_MACHINE, struct.pack("=H", 243), "is for RISC-V"),
        (_CLASS, b"\x01", "is for"),
        (16, struct.pack("=H", 2), "is a program or an object file"),
    ],
)
def test_one_for_another_machine_is_refused_by_its_name(
    whole: bytes, tmp_path: Path, at: int, value: bytes, words: str
) -> None:
    path = tmp_path / "libother.so"
    path.write_bytes(whole[:at] + value + whole[at + len(value) :])
    assert f"{path} {words}" in opened(path)


def test_what_is_no_library_is_told_by_what_it_is(tmp_path: Path) -> None:
    text = tmp_path / "libtext.so"
    text.write_text("version https://git-lfs.github.com/spec/v1\n" * 10)
    assert "libtext.so is no shared library" in opened(text)
    assert f"{tmp_path} is a folder" in opened(tmp_path)
    assert "libgone.so is not there. Correct the path" in opened(tmp_path / "libgone.so")
    assert "is not there" in opened(text / "below.so")
    (tmp_path / "loop").symlink_to("loop")
    assert "cannot be read: Too many levels of symbolic links" in opened(tmp_path / "loop")
    os.mkfifo(tmp_path / "pipe")
    assert "pipe is no file" in opened(tmp_path / "pipe")
    assert "libnone_such.so is not installed" in opened("libnone_such.so")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_one_that_this_user_may_not_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "libclosed.so"
    path.write_bytes(b"")
    path.chmod(0)
    os.seteuid(65534)
    try:
        assert "libclosed.so cannot be read: Permission denied. Let the agent's user read" in opened(path)
        found = external.build(external.Options(library="libc.so.6", devices=(f"{path}/x", "\0")), Path("/"))
        assert not found.probe().there  # and it has not raised
    finally:
        os.seteuid(0)


def test_one_that_is_no_delegate_is_refused_by_what_it_lacks_and_leaves_nothing_behind(
    tmp_path: Path, opener: Opener
) -> None:
    bare = compiled(tmp_path, "libbare.so", "int nothing;")
    assert "lacks tflite_plugin_create_delegate" in opened(bare)
    half = compiled(tmp_path, "libhalf.so", "void tflite_plugin_create_delegate(void) {}")
    assert "lacks tflite_plugin_destroy_delegate" in opener.open(
        half
    )  # the fixture sees that nothing is printed


def test_what_a_library_needs_and_is_not_there_is_named(tmp_path: Path) -> None:
    needed = compiled(tmp_path, "libusb-1.0.so.0", "int usb;", "-Wl,-soname,libusb-9.9.so.0")
    needing = compiled(tmp_path, "libneeding.so", "extern int usb; int *it = &usb;", str(needed))
    said = opened(needing)
    assert "needs libusb-9.9.so.0, which is not installed. Install the package that has it" in said
    symbol = compiled(tmp_path, "libsymbol.so", "extern int none_such; int *it = &none_such;")
    assert "libsymbol.so needs none_such, which no library here has" in opened(symbol)


def test_a_delegate_that_is_none_is_told_with_its_own_words_or_without(tmp_path: Path) -> None:
    lying = LyingDelegate(tmp_path / "lying")
    lying.set("null")
    assert "gives no delegate, and no reason. Check that the device is there" in opened(
        lying.library, options=lying.options
    )
    lying.set("vanish")
    assert "gives no delegate: lying delegate: no device is there." in opened(
        lying.library, options=lying.options
    )
    said = opened(lying.library, options={**lying.options, "colour": 7})
    assert said.endswith(
        "gives no delegate: lying delegate: unknown option colour. Check its options, and the device"
    )


def test_a_library_is_found_where_loaders_look_and_the_newest_of_a_short_name(
    whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", f":relative:{tmp_path / 'chosen'}")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "relative").mkdir()
    (tmp_path / "relative/libfirst.so").write_bytes(whole)  # where one stands must not matter
    names = ("libfirst.so", "libsecond.so")
    assert _find.find(names, root=tmp_path) == ("", "libfirst.so or libsecond.so is not installed")
    usual = tmp_path / "usr/lib"
    usual.mkdir(parents=True)
    for version in ("9", "29.1", "29.10", "29.x"):
        (usual / f"libsecond.so.{version}").write_bytes(whole)
    assert _find.find(names, root=tmp_path)[0] == str(usual / "libsecond.so.29.10")
    vendor = tmp_path / "vendor/lib64"
    vendor.mkdir(parents=True)
    (vendor / "libfirst.so").write_bytes(whole)
    assert _find.find(names, ("/vendor/lib64",), tmp_path)[0] == str(vendor / "libfirst.so")
    (tmp_path / "chosen").mkdir()
    (tmp_path / "chosen/libfirst.so").write_bytes(whole[:5000])
    assert _find.find(names, ("/vendor/lib64",), tmp_path)[0] == str(vendor / "libfirst.so")
    (vendor / "libfirst.so").unlink()
    shutil.rmtree(usual)
    path, why = _find.find(names, ("/vendor/lib64",), tmp_path)
    assert path == ""
    assert why.startswith(f"{tmp_path / 'chosen/libfirst.so'} is cut short")


def test_a_table_of_megabytes_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "libhuge.so"
    head = bytearray(Path(sys.executable).resolve().read_bytes()[:64])
    struct.pack_into("<H", head, 16, 3)
    struct.pack_into("<HH", head, 54, 65535, 300)  # e_phentsize and e_phnum of 64 bits
    path.write_bytes(head)
    os.truncate(path, 32 << 20)
    tracemalloc.start()
    try:
        _elf.check(str(path))
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()


def test_a_name_of_any_bytes_is_told_in_printable_ones(tmp_path: Path, whole: bytes) -> None:
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/lib\xff\x1b.so.1")
    Path(odd).write_bytes(whole)
    (tmp_path / "lib.so").symlink_to(odd)
    told = external.build(external.Options(library=str(tmp_path / "lib.so"))).describe()
    assert told == "lib??.so.1"
