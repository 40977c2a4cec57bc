"""A camera and a sensor of real kernel drivers, in front of the service: plugged in, unplugged, and back."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.simulators import tiny_models
from tests.system.board import CAMERA, DRIVER, SLOW
from tests.system.booted import UNIT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.system.vm import Vm

pytestmark = [pytest.mark.vm, pytest.mark.timeout(1500)]

BUS = "/sys/bus/i2c/devices/i2c-0"
# It gives back the windows that it gets.
MODEL, WINDOW = "/opt/echo.tflite", 64
CONFIG = f"""{SLOW}
[[pipelines]]
name = "door"
model = "glyphs"
source = {{ kind = "camera", device = "{CAMERA}", width = 320, height = 180 }}

[[pipelines]]
name = "boiler"
model = "{MODEL}"
task = "tensor"
[pipelines.source]
kind = "iio"
device = "bmp280"
channels = ["in_temp", "in_pressure"]
rate = 50
window = {WINDOW}
hop = 10
max_gap_s = 5
"""
# The example of Bosch's data sheet BST-BMP280-DS001, section 3.12: 25.08 degrees, 100653.27 Pa.
TRIMMED = struct.pack(
    "<HhhHhhhhhhhh", 27504, 26435, -1000, 36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000
)
PRESSURE, TEMPERATURE = 415148, 519888
READ = """
import json
from agent.sources import iio
options = iio.Options(device="bmp280", channels=("in_temp", "in_pressure"), rate=20, window=2, max_gap_s=5)
source = iio.build(options, start=0)
print(json.dumps(source.read(30).data.tolist()))
"""
READ_HWMON = """
from agent.sources import hwmon
options = hwmon.Options(device="lm75", channels=("temp1",), rate=5, window=1, max_gap_s=5)
print(hwmon.build(options, start=0).read(30).data.tolist())
"""


@pytest.fixture(scope="module")
def plugged(vm: Vm) -> Vm:
    """The machine with the camera and the chip of the sensor plugged in."""
    vm.sh("modprobe -a i2c-dev bmp280-i2c; modprobe vivid n_devs=1 node_types=0x1")
    vm.sh("modprobe i2c-stub chip_addr=0x76,0x48; modprobe lm75")
    vm.write("/opt/hand/i2c_registers.py", Path(__file__).with_name("i2c_registers.py").read_text())
    samples = b"".join((value << 4).to_bytes(3, "big") for value in (PRESSURE, TEMPERATURE))
    vm.sh(
        f"python3 /opt/hand/i2c_registers.py 76 d0=58 88={TRIMMED.hex()} f7={samples.hex()}; "
        f"echo bmp280 0x76 > {BUS}/new_device; "
        # An LM75 has whole degrees in the first byte of its register 0.
        f"python3 /opt/hand/i2c_registers.py 48 00=19; echo lm75 0x48 > {BUS}/new_device; udevadm settle"
    )
    return vm


@pytest.fixture(scope="module")
def watched(plugged: Vm) -> Iterator[Vm]:
    """The service, started on both; each has inferred, and does so after each test."""
    model = base64.b64encode(tiny_models.echo("float32", (1, WINDOW, 2))).decode()
    plugged.sh(f"echo {model} | base64 -d > {MODEL}; chmod 644 {MODEL}")
    plugged.start(CONFIG)
    for name in ("door", "boiler"):
        inferring(plugged, name)
    yield plugged
    plugged.run("systemctl", "stop", UNIT)


def pipeline(vm: Vm, name: str) -> dict[str, Any]:
    status = vm.status()
    assert status is not None
    [found] = (one for one in status["pipelines"] if one["name"] == name)
    return dict(found)


def inferring(vm: Vm, name: str, more: int = 5) -> dict[str, Any]:
    """Wait until a pipeline has inferred some more."""
    before = pipeline(vm, name)["ledger"]["inferred"]
    vm.until(lambda: pipeline(vm, name)["ledger"]["inferred"] >= before + more, f"infer at the {name}", 30)
    return pipeline(vm, name)


def says(vm: Vm, *words: str) -> Callable[[], bool]:
    return lambda: any(all(word in line for word in words) for line in vm.journal().splitlines())


def test_a_sensor_says_what_its_data_sheet_says(plugged: Vm) -> None:
    window = json.loads(plugged.sh(f"/opt/edge-agent/bin/python -c '{READ}'"))
    assert window == [[25080, pytest.approx(100.65327, abs=1e-4)]] * 2


def test_a_thermometer_among_the_monitors_says_what_its_register_holds(plugged: Vm) -> None:
    assert json.loads(plugged.sh(f"/opt/edge-agent/bin/python -c '{READ_HWMON}'")) == [[25.0]]


def test_the_unit_lets_the_service_have_cameras_and_no_other_device(watched: Vm) -> None:
    join = f"echo $$ > /sys/fs/cgroup/system.slice/{UNIT}/cgroup.procs"
    watched.sh(f"{join}; exec 3< {CAMERA}")
    watched.sh("exec 3< /dev/i2c-0")  # root may, elsewhere
    refused = watched.run("sh", "-ec", f"{join}; exec 3< /dev/i2c-0")
    assert "Operation not permitted" in refused.stderr
    most = int(watched.sh(f"cat /sys/fs/cgroup/system.slice/{UNIT}/memory.max"))
    assert 0.7 < most / (1 << 30) < 0.8  # of the machine's memory, without what the kernel keeps
    assert pipeline(watched, "door")["confined"]["landlock"] >= 2


def test_a_camera_that_is_used_by_the_service_is_busy_for_others(watched: Vm) -> None:
    done = watched.run("/opt/edge-agent/bin/edge-agent", "check", "--config", "/etc/edge-agent/agent.toml")
    assert done.returncode == 1
    assert f"open camera {CAMERA}: another program uses it" in done.stderr


def test_a_camera_that_is_unplugged_is_missed_and_comes_back_while_the_sensor_goes_on(
    watched: Vm,
) -> None:
    watched.sh(f"echo vivid.0 > {DRIVER}/unbind")
    watched.until(says(watched, "source.lost door", "it was unplugged"), "miss it", 5)
    assert watched.run("test", "-e", CAMERA).returncode == 1
    inferring(watched, "boiler")
    watched.sh(f"echo vivid.0 > {DRIVER}/bind")
    door = inferring(watched, "door")
    assert (door["state"], door["balanced"]) == ("running", True)
    assert door["restarts"] == 1  # the old worker may not open the new node
    assert pipeline(watched, "boiler")["restarts"] == 0


def test_a_sensor_that_is_unplugged_is_missed_and_comes_back_in_the_same_worker(watched: Vm) -> None:
    worker = pipeline(watched, "boiler")["pid"]
    watched.sh(f"echo 0x76 > {BUS}/delete_device")
    watched.until(says(watched, "source.lost boiler", "no such"), "miss it", 5)
    inferring(watched, "door")
    watched.sh(f"echo bmp280 0x76 > {BUS}/new_device")
    boiler = inferring(watched, "boiler")
    assert (boiler["pid"], boiler["restarts"], boiler["problem"]) == (worker, 0, None)
    assert boiler["balanced"]
