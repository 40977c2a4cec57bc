"""A Modbus unit, number 7, over TCP and on a serial line, played by pymodbus.

Its tables have the values of ``HOLDING``, ``INPUT``, ``COILS`` and ``DISCRETES``, from the address there.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import tty
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from pymodbus.framer import FramerType
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

if TYPE_CHECKING:
    from collections.abc import Iterator

UNIT = 7
HOLDING = (0x10, [0x3FC0, 0x0000, 0xFFF9, 0x0001, 0x0002, 1234])
"""float32 1.5, int16 -7, uint32 0x10002 or, the other way round, 0x20001, uint16 1234."""
INPUT = (0x100, [215, 0xFFFF])
COILS = (0, [False, True, True, False, True, False, False, False, False, True])
DISCRETES = (40, [True, False])


def unit() -> SimDevice:
    """Give the unit's tables."""

    def bits(first: int, values: list[bool]) -> list[SimData]:
        return [SimData(first, values=[*values], datatype=DataType.BITS)]

    def words(first: int, values: list[int]) -> list[SimData]:
        return [SimData(first, values=[*values], datatype=DataType.REGISTERS)]

    return SimDevice(UNIT, (bits(*COILS), bits(*DISCRETES), words(*HOLDING), words(*INPUT)))


@dataclass(frozen=True)
class Served:
    """Where the unit is: a TCP port on the loopback, and the path of a serial line's other end."""

    port: int
    line: str


@contextmanager
def served(port: int = 0) -> Iterator[Served]:
    """Serve in a thread of its own.

    Args:
        port: of TCP; 0 is one that is free.
    """
    logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)
    told: SimpleQueue[tuple[Served, asyncio.AbstractEventLoop, asyncio.Event]] = SimpleQueue()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(port, told)))
    thread.start()
    where, loop, over = told.get(timeout=30)
    try:
        yield where
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()


async def _serve(
    port: int, told: SimpleQueue[tuple[Served, asyncio.AbstractEventLoop, asyncio.Event]]
) -> None:
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    loop.set_default_executor(ThreadPoolExecutor(1))
    await loop.run_in_executor(None, int)  # its thread is there from now on, and is the only one
    masters, ends = zip(*(os.openpty() for _ in range(2)), strict=True)
    for end in ends:
        tty.setraw(end)
    for one, other in (masters, masters[::-1]):
        os.set_blocking(one, False)
        loop.add_reader(one, _carry, one, other)
    tcp = ModbusTcpServer(unit(), address=("127.0.0.1", port))
    rtu = ModbusSerialServer(unit(), framer=FramerType.RTU, port=os.ttyname(ends[0]), baudrate=115200)
    for server in (tcp, rtu):
        await server.serve_forever(background=True)
    listening: Any = tcp.transport
    told.put((Served(listening.sockets[0].getsockname()[1], os.ttyname(ends[1])), loop, over))
    await over.wait()
    for server in (tcp, rtu):
        await server.shutdown()  # type: ignore[no-untyped-call]
    for master in masters:
        loop.remove_reader(master)
    for held in (*masters, *ends):
        os.close(held)


def _carry(one: int, other: int) -> None:
    with suppress(BlockingIOError):  # nobody reads there
        os.write(other, os.read(one, 4096))
