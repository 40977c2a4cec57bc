"""What installing the service means: files, links and commands."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent import resources
from agent.errors import AgentError
from agent.installing.plan import (
    ALIKE,
    BOARD,
    CATALOG,
    CONFIG,
    DROP_INS,
    LINK,
    Plan,
    Spec,
    board_drop_in,
    plan,
)

SHIPPED = {path.name: path.read_bytes() for path in resources.units().iterdir() if path.is_file()}
for _unit in ALIKE:
    SHIPPED.pop(_unit, None)
SPEC = Spec("/opt/edge-agent")
UNIT = "/etc/systemd/system/edge-agent.service"


def content(steps: Plan, path: str) -> str:
    return next(one.content for one in steps.files if one.path == path).decode()


def commands(steps: Plan) -> list[str]:
    return [" ".join(one.argv) for one in steps.commands]


def test_the_unit_stays_as_it_is_for_the_usual_place() -> None:
    assert content(plan(SPEC, SHIPPED), UNIT).encode() == SHIPPED["edge-agent.service"]


def test_the_unit_runs_another_environment_where_that_is_elsewhere() -> None:
    text = content(plan(replace(SPEC, folder="/srv/edge"), SHIPPED), UNIT)
    assert "\nExecStart=/srv/edge/bin/edge-agent run " in text
    assert "/opt/edge-agent/bin/" not in text


def test_hardware_is_a_drop_in_each_and_what_the_board_says_another() -> None:
    steps = plan(replace(SPEC, hardware=("serial", "npu"), service_mb=256, nodes=("/dev/acme0",)), SHIPPED)
    names = [one.path for one in steps.files if one.path.startswith(DROP_INS)]
    assert names == [
        f"{DROP_INS}/{name}" for name in ("edge-agent-serial.conf", "edge-agent-npu.conf", BOARD)
    ]
    assert content(steps, f"{DROP_INS}/{BOARD}").splitlines()[2:] == [
        "[Service]",
        "MemoryMax=256M",
        "DeviceAllow=/dev/acme0 rw",
    ]
    assert f"{DROP_INS}/{BOARD}" not in [one.path for one in plan(SPEC, SHIPPED).files]


def test_the_helpers_unit_that_opens_the_same_devices_gets_the_same_rights() -> None:
    spec = replace(SPEC, hardware=("serial",), service_mb=256)
    steps = plan(spec, {**SHIPPED, ALIKE[0]: b""})
    theirs = f"/etc/systemd/system/{ALIKE[0]}.d"
    assert content(steps, f"{theirs}/edge-agent-serial.conf") == content(
        steps, f"{DROP_INS}/edge-agent-serial.conf"
    )
    assert content(steps, f"{theirs}/{BOARD}") == content(steps, f"{DROP_INS}/{BOARD}")
    assert len(steps.files) == len(plan(spec, SHIPPED).files) + 2


def test_the_configuration_is_for_whoever_looks_after_the_machine() -> None:
    steps = plan(replace(SPEC, configuration=((CONFIG, b"text"),)), SHIPPED)
    assert [one.path for one in steps.files if one.once] == [CONFIG]


def test_groups_come_before_the_service_that_joins_them() -> None:
    told = commands(plan(SPEC, SHIPPED))
    assert told[0] == "systemd-sysusers edge-agent.conf"
    assert told[-1] == "systemctl enable --now edge-agent.service"
    assert told.index("systemctl daemon-reload") < told.index("systemctl try-restart edge-agent.service")


def test_the_journal_is_told_what_events_mean() -> None:
    steps = plan(SPEC, SHIPPED)
    assert content(steps, CATALOG).encode() == SHIPPED["edge-agent.catalog"]
    assert "journalctl --update-catalog" in commands(steps)


def test_without_a_start_it_is_enabled_only() -> None:
    told = commands(plan(replace(SPEC, start=False), SHIPPED))
    assert [one for one in told if "start" in one or "now" in one] == []
    assert told[-1] == "systemctl enable edge-agent.service"


def test_without_udev_nothing_is_asked_of_it() -> None:
    assert any("udevadm" in one for one in commands(plan(SPEC, SHIPPED)))
    assert not any("udevadm" in one for one in commands(plan(replace(SPEC, udev=False), SHIPPED)))


def test_an_image_is_enabled_by_a_link_and_no_service_manager_is_asked() -> None:
    steps = plan(replace(SPEC, image="/mnt"), SHIPPED)
    assert commands(steps) == [
        "systemd-sysusers --root=/mnt edge-agent.conf",
        "journalctl --update-catalog --root=/mnt",
    ]
    assert "/etc/systemd/system/multi-user.target.wants/edge-agent.service" in [
        one.path for one in steps.links
    ]


def test_beside_a_package_only_drop_ins_and_the_configuration_are_written() -> None:
    spec = replace(SPEC, packaged=True, hardware=("can",), configuration=((CONFIG, b"text"),))
    steps = plan(spec, SHIPPED)
    assert [one.path for one in steps.files] == [f"{DROP_INS}/edge-agent-can.conf", CONFIG]
    assert steps.links == ()
    assert not any("sysusers" in one or "udevadm" in one for one in commands(steps))


def test_a_program_that_is_where_the_link_would_be_needs_none() -> None:
    assert LINK in [one.path for one in plan(SPEC, SHIPPED).links]
    assert plan(replace(SPEC, folder="/usr/local"), SHIPPED).links == ()


@pytest.mark.parametrize(
    "node",
    [
        "/dev/acme0 rw\nExecStartPre=+/bin/sh",
        "/dev/acme 0",
        "/dev/%h",
        "/dev/../etc/shadow",
        "char-*",
        "/dev/",
        "/etc/shadow",
    ],
)
def test_a_profile_says_nothing_in_a_unit_but_device_nodes(node: str) -> None:
    with pytest.raises(AgentError, match="it can be no device node"):
        plan(replace(SPEC, nodes=(node,)), SHIPPED)
    assert b"rw" in board_drop_in(0, ("/dev/acme0", "/dev/dri/renderD128", "/dev/iio:device0"))
