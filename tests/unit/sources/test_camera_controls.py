"""Controls and names of cameras, before a simulated driver."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.errors import SourceLost
from agent.sources.camera import Options, build, needs
from agent.sources.v4l2.controls import variable
from tests.simulators.cameras import METADATA, Cameras

WEBCAM = (
    "9963776 1 0 255 1 128 0 0 Brightness|",
    "9963788 2 0 1 1 1 0 0 White Balance, Automatic|",
    "9963800 3 0 2 1 1 0 0 Power Line Frequency|Disabled|50 Hz|60 Hz",
    "9963802 1 2800 6500 10 4000 0 9963788 White Balance Temperature|",
    "9963803 1 0 7 1 2 1 0 Not There|",
    "9963804 1 0 7 1 2 4 0 Only Told|",
    "10094849 3 0 3 1 3 0 0 Auto Exposure||Manual Mode||Aperture Priority Mode",
    "10094850 1 1 5000 1 157 0 0 Exposure Time, Absolute|",
    "10094858 4 0 0 0 0 0 0 A Button|",
)
ALL = (
    "It has: brightness 0 to 255; white_balance_automatic 0 to 1; "
    "power_line_frequency 0 (Disabled), 1 (50 Hz), 2 (60 Hz); white_balance_temperature 2800 to 6500 by 10; "
    "auto_exposure 1 (Manual Mode), 3 (Aperture Priority Mode); exposure_time_absolute 1 to 5000"
)


def refused(device: str = "/dev/video0", **controls: Any) -> str:
    """Give the one line with which it is refused; nothing of it stays open."""
    with pytest.raises(SourceLost) as caught:
        build(Options(device=device, controls=controls), start=0)
    log = Cameras.here().log
    assert len([line for line in log if line.startswith("open")]) == len(
        [line for line in log if line.startswith("close")]
    )
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.cameras
def test_controls_are_set_once_it_runs_and_switches_first() -> None:
    Cameras.here().plug(controls=WEBCAM)
    wanted = {
        "white_balance_temperature": 3000,
        "white_balance_automatic": False,
        "auto_exposure": "Manual Mode",
        "exposure_time_absolute": 100,
        "power_line_frequency": 2,
    }
    with closing(build(Options(controls=wanted), start=0)) as source:
        frame = source.read(2)
    assert frame is not None
    log = Cameras.here().log
    assert log.index("start") < log.index("control White Balance, Automatic 0")
    assert [line for line in log if line.startswith("control")] == [
        "control White Balance, Automatic 0",
        "control Auto Exposure 1",
        "control Power Line Frequency 2",
        "control White Balance Temperature 3000",
        "control Exposure Time, Absolute 100",
    ]


@pytest.mark.cameras
@pytest.mark.parametrize(
    ("controls", "said"),
    [
        ({"exposure": 100}, f"set controls /dev/video0: it has no control 'exposure'. {ALL}"),
        ({"brightness": 300}, "brightness cannot be 300. It takes: brightness 0 to 255"),
        ({"brightness": "bright"}, "brightness cannot be 'bright'. It takes: brightness 0 to 255"),
        (
            {"auto_exposure": 2},
            "cannot be 2. It takes: auto_exposure 1 (Manual Mode), 3 (Aperture Priority Mode)",
        ),
        (
            {"auto_exposure": "Manual"},
            "auto_exposure cannot be 'Manual'. It takes: auto_exposure 1 (Manual Mode)",
        ),
        (
            {"white_balance_temperature": 3000},
            "it refuses white_balance_temperature = 3000: permission denied. Switch off what sets",
        ),
    ],
)
def test_a_control_that_cannot_be_set_so_is_refused_in_one_line(controls: dict[str, Any], said: str) -> None:
    Cameras.here().plug(controls=WEBCAM)
    assert said in refused(**controls)


@pytest.mark.cameras
def test_a_camera_without_controls_says_so_and_many_are_told_in_bounds() -> None:
    here = Cameras.here()
    here.plug()
    assert refused(gain=1).endswith("it has no control 'gain'. It has: none")
    long = tuple(f"{9963776 + n} 1 0 255 1 0 0 0 {'A Long Title Of It ' + str(n):.31}|" for n in range(32))
    here.plug(controls=long)
    line = refused(gain=1)
    assert line.endswith("; ...")
    assert len(line) < 1100


@pytest.mark.parametrize(
    "controls", [{"x" * 65: 1}, {"gain": 1.5}, {"gain": [1]}, {f"c{n}": 1 for n in range(65)}]
)
def test_controls_are_few_names_with_numbers_or_texts(controls: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Options(controls=controls)


@given(st.text(max_size=40))
def test_a_controls_name_is_one_word(title: str) -> None:
    assert set(variable(title)) <= set("abcdefghijklmnopqrstuvwxyz0123456789_")


@pytest.mark.cameras
def test_a_camera_is_found_by_its_usb_ids_or_its_makers_name_wherever_it_is() -> None:
    here = Cameras.here()
    here.plug(0, "Front", usb=("046d", "0825", "A1"))
    here.plug(1, "Front", modes=(), caps=f"{METADATA:x}", index=1)
    here.plug(2, "Back", usb=("046d", "0825", "B2"))
    here.plug(3, "Other", usb=("1234", "abcd"))

    def found(device: str) -> tuple[str, ...]:
        return needs(Options(device=device)).devices

    assert found("usb:046d:0825:B2") == found("Back") == ("/dev/video2",)
    assert found("Front") == ("/dev/video0",)
    assert found("usb:1234:ABCD") == ("/dev/video3",)
    assert found("usb:046d:0825") == ("/dev/video0", "/dev/video2")
    assert found("usb:ffff:0825") == ("usb:ffff:0825",)
    assert "usb:046d:0825: 2 cameras are called so: /dev/video0, /dev/video2." in refused("usb:046d:0825")
    assert "open camera usb:ffff:0825: it is not there. Set device to one of" in refused("usb:ffff:0825")
    here.unplug(2)
    assert "it is not there" in refused("usb:046d:0825:B2")
    here.plug(7, "Back", usb=("046d", "0825", "B2"))
    with closing(build(Options(device="usb:046d:0825:B2"), start=0)) as source:
        assert source.read(2) is not None
    assert here.log[-1] == "close video7"
