"""The filter, carried out by a small machine, and its numbers against the kernel's own headers."""

from __future__ import annotations

import errno
import re
import socket
from pathlib import Path

import pytest

from agent.confinement import seccomp
from agent.confinement.seccomp import Code, Machine

X86, ARM64, ARM32 = (Machine(*one) for one in seccomp._ARCHES.values())
EACH = pytest.mark.parametrize("here", [X86, ARM64, ARM32], ids=["x86_64", "aarch64", "arm"])
HEADERS = {
    X86: Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    ARM64: Path("/usr/include/asm-generic/unistd.h"),
    ARM32: Path("/usr/arm-linux-gnueabihf/include/asm/unistd-eabi.h"),
}
ALSO = {
    "clone": seccomp._CLONE,
    "clone3": seccomp._CLONE3,
    "prctl": seccomp._PRCTL,
    "socket": seccomp._SOCKET,
}
PID = 4711
HARMLESS = {"read": (0, 63, 3), "openat": (257, 56, 322), "mmap": (9, 222, 192), "exit_group": (231, 94, 248)}


def judged(code: Code, audit: int, number: int, *arguments: int) -> int:
    """Run a filter on a system call as the kernel does; 0 when it is allowed, else the error."""
    words = {0: number, 4: audit} | {
        16 + 8 * at + 4 * high: value >> 32 * high & 0xFFFFFFFF
        for at, value in enumerate(arguments)
        for high in (0, 1)
    }
    loaded, at = 0, 0
    for _ in range(len(code)):
        what, yes, no, constant = code[at]
        at += 1
        if what == seccomp._RETURN:
            return 0 if constant == seccomp._ALLOW else constant & 0xFFFF
        if what == seccomp._LOAD:
            loaded = words.get(constant, 0)
        else:
            tests = {
                seccomp._EQUAL: loaded == constant,
                seccomp._AT_LEAST: loaded >= constant,
                seccomp._ANY_BIT: bool(loaded & constant),
            }
            at += yes if tests[what] else no
    raise AssertionError("it does not end")


def filtered(here: Machine, name: str, *arguments: int, network: bool = False, **more: bool) -> int:
    table = seccomp._NEVER | {one: it[0] for one, it in seccomp._ONLY_ONESELF.items()} | ALSO | HARMLESS
    code = seccomp.program(here, PID, network=network, **more)
    return judged(code, here.audit, table[name][here.column], *arguments)


@EACH
def test_what_a_worker_never_does_is_refused_and_the_rest_is_allowed(here: Machine) -> None:
    for name, numbers in seccomp._NEVER.items():
        if numbers[here.column] >= 0:
            assert filtered(here, name) == errno.EPERM, name
    for name in HARMLESS:
        assert filtered(here, name) == 0, name
    known = {
        *(numbers[here.column] for numbers in seccomp._NEVER.values()),
        *(it[0][here.column] for it in seccomp._ONLY_ONESELF.values()),
        *(numbers[here.column] for numbers in ALSO.values()),
    }
    code = seccomp.program(here, PID, network=False)
    assert all(judged(code, here.audit, number) == 0 for number in range(600) if number not in known)


@EACH
def test_signals_and_limits_are_for_oneself_only(here: Machine) -> None:
    for name, (_, argument, zero) in seccomp._ONLY_ONESELF.items():
        before = [0] * argument
        assert filtered(here, name, *before, PID) == 0
        assert filtered(here, name, *before, PID + 1) == errno.EPERM
        assert filtered(here, name, *before, (1 << 32) - 1) == errno.EPERM  # everyone
        assert filtered(here, name, *before, 0) == (0 if zero else errno.EPERM)


@EACH
def test_threads_may_be_made_and_processes_not(here: Machine) -> None:
    assert filtered(here, "clone", 0x003D0F00) == 0  # what glibc asks for a thread
    assert filtered(here, "clone", 17) == errno.EPERM  # what fork asks
    assert filtered(here, "clone3") == errno.ENOSYS  # so that the library takes clone


@EACH
def test_a_socket_is_for_those_with_a_network_and_then_of_few_kinds(here: Machine) -> None:
    assert {filtered(here, "socket", family) for family in range(50)} == {errno.EPERM}
    allowed = {family for family in range(50) if not filtered(here, "socket", family, network=True)}
    assert allowed == {1, 2, 10, 16}


@EACH
def test_who_listens_for_devices_gets_the_kernels_socket_for_that_and_no_other(here: Machine) -> None:
    every = [(family, protocol) for family in range(50) for protocol in range(25)]
    allowed = [one for one in every if not filtered(here, "socket", one[0], 3, one[1], hotplug=True)]
    assert allowed == [(socket.AF_NETLINK, 15)]


@EACH
def test_who_reads_a_can_bus_gets_raw_can_sockets_and_no_other(here: Machine) -> None:
    def allowed(**more: bool) -> set[tuple[int, int]]:
        every = [(family, protocol) for family in range(50) for protocol in range(25)]
        return {one for one in every if not filtered(here, "socket", one[0], 3, one[1], **more)}

    raw_can = {(socket.AF_CAN, socket.CAN_RAW)}
    assert allowed(can=True) == raw_can
    assert allowed(can=True, network=True) == raw_can | allowed(network=True)
    assert allowed(can=True, hotplug=True) == raw_can | allowed(hotplug=True)


@EACH
def test_what_ties_a_worker_to_its_supervisor_stays(here: Machine) -> None:
    for option in (1, 4, 35, 0x59616D61):
        assert filtered(here, "prctl", option) == errno.EPERM
    for option in (3, 15, 22, 38):
        assert filtered(here, "prctl", option) == 0


@EACH
def test_who_starts_programs_may_do_what_that_takes_and_no_more(here: Machine) -> None:
    code = seccomp.program(here, PID, network=False, children=True)
    for name, numbers in seccomp._NEVER.items():
        if numbers[here.column] >= 0:
            told = judged(code, here.audit, numbers[here.column])
            assert told == (0 if name in seccomp._OF_PARENTS else errno.EPERM), name
    assert judged(code, here.audit, ALSO["clone"][here.column], 17) == 0
    assert judged(code, here.audit, seccomp._ONLY_ONESELF["kill"][0][here.column], PID + 1) == 0
    assert judged(code, here.audit, ALSO["prctl"][here.column], 1) == 0  # to have them end with it
    for option in (4, 35, 0x59616D61):
        assert judged(code, here.audit, ALSO["prctl"][here.column], option) == errno.EPERM
    assert judged(code, here.audit, ALSO["socket"][here.column], 2) == errno.EPERM


@EACH
def test_calls_of_another_architecture_are_refused(here: Machine) -> None:
    code = seccomp.program(here, PID, network=True)
    assert judged(code, 0x40000003, 3) == errno.EPERM  # 32-bit x86
    assert judged(code, here.audit ^ 1, HARMLESS["read"][here.column]) == errno.EPERM
    if here is X86:
        assert judged(code, here.audit, 0x40000000) == errno.EPERM  # x32


@EACH
def test_it_is_short_enough_for_the_kernel_and_every_jump_stays_inside(here: Machine) -> None:
    code = seccomp.program(here, PID, network=True)
    assert len(code) < 4096
    for at, (what, yes, no, _) in enumerate(code):
        assert what == seccomp._RETURN or max(yes, no) < min(256, len(code) - at - 1)
    assert code[-1][0] == seccomp._RETURN


@EACH
def test_the_numbers_are_those_of_the_kernels_headers(here: Machine) -> None:
    header = HEADERS[here]
    if not header.exists():
        pytest.skip(f"needs {header} (Debian: linux-libc-dev, or its package for cross compiling)")
    pattern = r"#define __NR(?:3264)?_(\w+)\s+\(?(?:__NR_SYSCALL_BASE \+ )?(\d+)"
    known = {name: int(number) for name, number in re.findall(pattern, header.read_text())}
    ours = seccomp._NEVER | {name: it[0] for name, it in seccomp._ONLY_ONESELF.items()} | ALSO | HARMLESS
    told = {name: numbers[here.column] for name, numbers in ours.items() if numbers[here.column] >= 0}
    if here is ARM32:
        told["mmap2"] = told.pop("mmap")
    assert {
        name: (number, known.get(name)) for name, number in told.items() if known.get(name) != number
    } == {}
