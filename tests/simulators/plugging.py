"""Devices that a test pulls out and plugs in again: what ``Example.plug`` of the bundled sources gives."""

from __future__ import annotations

import json
import os
import signal
import threading
import tty
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from tests.simulators import fake_rpicam, modbus_units
from tests.simulators.cameras import Cameras
from tests.simulators.examples.example import Plug
from tests.simulators.rtsp_camera import RtspCamera
from tests.simulators.web_camera import WebCamera, jpeg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.simulators.web_camera import Visit

_FRAME = bytes(64 * 48)


@contextmanager
def camera(_: Path) -> Iterator[Plug]:
    """Give a camera of this machine."""
    cameras = Cameras.here()
    modes = ("YUYV 64x48@100",)
    yield Plug(
        {"device": cameras.plug(9, modes=modes)},
        out=lambda: cameras.unplug(9),
        back=lambda: cameras.plug(9, modes=modes),
        hush=lambda: cameras.plug(9, modes=modes, stop_after=2),
    )


@contextmanager
def folder_of_the_kernel(folder: Path) -> Iterator[Plug]:
    """Give what is unplugged when its folder goes: a driver takes the files away."""
    [held] = [path for path in folder.iterdir() if path.is_dir()]
    aside = folder.with_name(f"{folder.name}.aside")
    yield Plug({}, out=lambda: _move(held, aside), back=lambda: _move(aside, held))


def _move(path: Path, to: Path) -> None:
    path.rename(to)


class _Repeating:
    """Somebody who does something again and again, until it is called off."""

    def __init__(self, act: Callable[[], object], every_s: float = 0.004) -> None:
        self._act, self._every_s = act, every_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.wait(self._every_s):
            with suppress(OSError):  # nobody listens, or no more
                self._act()

    def end(self) -> None:
        self._over.set()
        self._thread.join()


class _Port:
    """A serial port behind a name that stays, with a sensor that talks."""

    def __init__(self, name: Path, says: bytes) -> None:
        self.name = name
        self._says = says
        self.plug()

    def plug(self) -> None:
        theirs, ours = self.ends = os.openpty()
        tty.setraw(ours)
        os.set_blocking(theirs, False)
        self.name.symlink_to(os.ttyname(ours))
        self.talker = _Repeating(lambda: os.write(theirs, self._says))

    def quiet(self) -> None:
        self.talker.end()

    def unplug(self) -> None:
        self.talker.end()
        self.name.unlink()
        for end in self.ends:
            os.close(end)


def port(option: str, says: bytes) -> Callable[[Path], AbstractContextManager[Plug]]:
    """Give what plugs a thing that talks into a serial port, whose stable name stands in this option."""

    @contextmanager
    def plugged(folder: Path) -> Iterator[Plug]:
        held = _Port(folder / "by-id", says)
        try:
            yield Plug({option: str(held.name)}, held.unplug, held.plug, held.quiet)
        finally:
            held.unplug()

    return plugged


@contextmanager
def modbus_unit(_: Path) -> Iterator[Plug]:
    """Give a Modbus unit over TCP; what is asked for always answers."""
    held = ExitStack()
    number = held.enter_context(modbus_units.served()).port
    with held:
        yield Plug(
            {"port": number},
            out=held.close,
            back=lambda: held.enter_context(modbus_units.served(number)),
        )


@contextmanager
def ribbon_camera(folder: Path) -> Iterator[Plug]:
    """Give a camera on the ribbon cable: pulled out, its program dies, and a new one finds none."""
    log = folder / "started"

    def install(**mood: Any) -> str:
        return fake_rpicam.install(folder / "bin", log=str(log), **mood)

    def out() -> None:
        install(says="ERROR: *** no cameras available ***")
        os.kill(json.loads(log.read_text().splitlines()[-1])[0], signal.SIGKILL)

    yield Plug({"program": install()}, out, back=install, hush=lambda: install(freezes_after=2))


@contextmanager
def streaming_camera(_: Path) -> Iterator[Plug]:
    """Give a camera that streams over RTSP; what hushes it stands in its own tests."""
    with RtspCamera("mjpeg", "--fps", "20", "--size", "64x48") as camera:
        yield Plug({"url": camera.url()}, out=camera.switch_off, back=camera.switch_on)


class _Writer:
    """A program that writes frames into a pipe."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.start()

    def start(self) -> None:
        # Both directions: it opens at once, whether or not somebody reads.
        self._fd = fd = os.open(self._path, os.O_RDWR | os.O_NONBLOCK)
        self.writing = _Repeating(lambda: os.write(fd, _FRAME))

    def quiet(self) -> None:
        self.writing.end()

    def stop(self) -> None:
        self.writing.end()
        os.close(self._fd)


@contextmanager
def pipe(folder: Path) -> Iterator[Plug]:
    """Give a pipe that a program writes into."""
    path = folder / "written"
    os.mkfifo(path)
    writer = _Writer(path)
    try:
        yield Plug({"path": str(path)}, writer.stop, writer.start, writer.quiet)
    finally:
        writer.stop()


def network(target: str) -> Callable[[Path], AbstractContextManager[Plug]]:
    """Give what plugs a camera into the network; it sends streams and pictures."""

    @contextmanager
    def plugged(_: Path) -> Iterator[Plug]:
        quiet = threading.Event()

        def manners(visit: Visit) -> None:
            if target == "/shot" and not (quiet.is_set() and visit.number):
                visit.picture(jpeg(100))
            elif target == "/fast":
                visit.stream()
                visit.part(jpeg(100))
                while not (quiet.is_set() or visit.over.wait(0.01)):
                    visit.part(jpeg(100))
                visit.linger()
            else:
                visit.linger()

        held = [WebCamera(manners).__enter__()]
        number = held[0].port

        def back() -> None:
            held.append(WebCamera(manners, port=number).__enter__())

        def out() -> None:
            held.pop().__exit__(None, None, None)

        try:
            yield Plug({"url": f"http://127.0.0.1:{number}{target}"}, out, back, quiet.set)
        finally:
            out()

    return plugged
