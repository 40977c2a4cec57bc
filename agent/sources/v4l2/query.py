"""What a V4L2 device says of itself, asked by ioctl: no OpenCV, no numpy.

Numbers and layouts are those of the kernel's interface, include/uapi/linux/videodev2.h. The structs used here
are made of 32-bit words and bytes, so they are the same on 32-bit and 64-bit machines, except v4l2_format:
its union holds pointers, and begins at byte 8 where a pointer has eight bytes.
"""

from __future__ import annotations

import errno
import fcntl
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FORMATS, MAX_SIZES, MAX_RATES = 32, 64, 32
"""How much is asked of one driver, of each format and of each size: an odd one may never come to an end."""
_CAPTURE, _CAPTURE_MPLANE = 0x1, 0x1000
_IO_MC, _DEVICE_CAPS = 0x2000_0000, 0x8000_0000
_BUF_CAPTURE, _BUF_CAPTURE_MPLANE = 1, 9
_DISCRETE = 1
_POINTER = struct.calcsize("P")
_FORMAT_SIZE = 200
"""Bytes of the union in v4l2_format."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes of a frame, pixels: one size, or all from the smallest to the largest in steps.

    Attributes:
        low: the smallest width and height.
        high: the largest; the same where there is one size only.
        step: between two of them.
        rates: frames a second at the largest, the fastest first; the two ends where the driver gives a
            range, and () where it does not say.
    """

    low: tuple[int, int]
    high: tuple[int, int]
    step: tuple[int, int] = (1, 1)
    rates: tuple[float, ...] = ()

    def holds(self, width: int, height: int) -> bool:
        """Whether this size is among them."""
        return all(
            low <= wanted <= high and (wanted - low) % max(step, 1) == 0
            for wanted, low, high, step in zip((width, height), self.low, self.high, self.step, strict=True)
        )

    def __str__(self) -> str:
        """``640x480``, or ``64x64 to 1920x1080``."""
        low, high = (f"{width}x{height}" for width, height in (self.low, self.high))
        return low if low == high else f"{low} to {high}"


@dataclass(frozen=True, slots=True)
class Format:
    """A pixel format: its four-character code, and the sizes that the device has in it."""

    fourcc: str
    sizes: tuple[Sizes, ...]

    def __str__(self) -> str:
        """``MJPG 640x480, 1280x720``; a driver that does not list sizes gives the code alone."""
        return f"{self.fourcc} {', '.join(map(str, self.sizes))}".rstrip()


@dataclass(frozen=True, slots=True)
class Card:
    """Who a device is.

    Attributes:
        name: what its maker calls it.
        driver: the kernel's driver.
        bus: where it is plugged in, such as ``usb-0000:00:14.0-1``.
        captures: whether pictures can be read from it; metadata nodes and encoders can't be.
        raw: whether its picture must first be set up through the media controller, which libcamera does.
        buffers: the buffer type that the formats belong to (V4L2_BUF_TYPE).
    """

    name: str
    driver: str
    bus: str
    captures: bool
    raw: bool
    buffers: int


def request(direction: int, number: int, size: int) -> int:
    """Make a request's number, as _IOC of asm-generic/ioctl.h does: direction is 2 to read, 3 for both."""
    return direction << 30 | size << 16 | ord("V") << 8 | number


def format_size(pointer: int) -> int:
    """Give the size of v4l2_format, where a pointer has so many bytes: a word, then the aligned union."""
    return max(4, pointer) + _FORMAT_SIZE


def ask_card(fd: int) -> Card:
    """Ask VIDIOC_QUERYCAP: driver[16] card[32] bus_info[32] version capabilities device_caps reserved[3].

    Raises:
        OSError: ENOTTY when it is no V4L2 device, ENODEV when it was unplugged.
    """
    layout = struct.Struct("=16s32s32sIII12x")
    reply = bytearray(layout.size)
    fcntl.ioctl(fd, request(2, 0, layout.size), reply)
    driver, name, bus, _, whole, own = layout.unpack(reply)
    able = own if whole & _DEVICE_CAPS else whole
    return Card(
        name=printable(name),
        driver=printable(driver),
        bus=printable(bus),
        captures=bool(able & (_CAPTURE | _CAPTURE_MPLANE)),
        raw=bool(able & _IO_MC),
        buffers=_BUF_CAPTURE if able & _CAPTURE else _BUF_CAPTURE_MPLANE,
    )


def ask_formats(fd: int, buffers: int) -> tuple[Format, ...]:
    """Ask VIDIOC_ENUM_FMT: index type flags description[32] pixelformat mbus_code reserved[3]."""
    layout = struct.Struct("=III32s4sI12x")
    found = []
    for index in range(MAX_FORMATS):
        reply = _enumerated(fd, 2, layout, index, buffers, 0, b"", b"", 0)
        if reply is None:
            break
        code: bytes = reply[4]
        found.append(Format(printable(code), tuple(_sizes(fd, code))))
    return tuple(found)


def is_busy(fd: int, buffers: int) -> bool:
    """Whether another program holds the device: VIDIOC_S_FMT of its own format is then refused."""
    size = format_size(_POINTER)
    form = bytearray(size)
    struct.pack_into("=I", form, 0, buffers)
    try:
        fcntl.ioctl(fd, request(3, 4, size), form)
        fcntl.ioctl(fd, request(3, 5, size), form)
    except OSError as error:
        return error.errno == errno.EBUSY
    return False


def is_gone(fd: int) -> bool:
    """Whether the device behind an open descriptor was unplugged."""
    try:
        ask_card(fd)
    except OSError:
        return True
    return False


def _sizes(fd: int, code: bytes) -> Iterator[Sizes]:
    """Ask VIDIOC_ENUM_FRAMESIZES: index pixel_format type, then width height or min max step of each."""
    layout = struct.Struct("=I4sI6I8x")
    for index in range(MAX_SIZES):
        reply = _enumerated(fd, 74, layout, index, code, *[0] * 7)
        if reply is None:
            return
        kind, numbers = reply[2], reply[3:]
        if kind == _DISCRETE:
            size = (numbers[0], numbers[1])
            yield Sizes(size, size, rates=_rates(fd, code, *size))
            continue
        low, high, step = ((numbers[n], numbers[n + 3]) for n in range(3))
        yield Sizes(low, high, step, _rates(fd, code, *high))
        return  # a range stands alone


def _rates(fd: int, code: bytes, width: int, height: int) -> tuple[float, ...]:
    """Ask VIDIOC_ENUM_FRAMEINTERVALS: index pixel_format width height type, then one fraction, or three."""
    layout = struct.Struct("=I4sIII6I8x")
    found: set[float] = set()
    for index in range(MAX_RATES):
        reply = _enumerated(fd, 75, layout, index, code, width, height, *[0] * 7)
        if reply is None:
            break
        kind, numbers = reply[4], reply[5:]
        ends = [numbers[:2]] if kind == _DISCRETE else [numbers[:2], numbers[2:4]]
        found.update(round(below / above, 3) for above, below in ends if above and below)
        if kind != _DISCRETE:
            break
    return tuple(sorted(found, reverse=True))


def _enumerated(fd: int, number: int, layout: struct.Struct, *fields: object) -> tuple[Any, ...] | None:
    """Ask for one entry of a list; None after its end, or where the driver does not have the list."""
    entry = bytearray(layout.pack(*fields))
    try:
        fcntl.ioctl(fd, request(3, number, layout.size), entry)
    except OSError:
        return None
    return layout.unpack(entry)


def printable(text: bytes) -> str:
    """Give a text of fixed length up to its NUL, with ``?`` for what a line can't show."""
    words = text.partition(b"\0")[0].decode(errors="replace").strip()
    return "".join(letter if letter.isprintable() else "?" for letter in words)
