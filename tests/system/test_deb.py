"""The Debian package in a clean Debian 12: install, run, go back, upgrade, remove, purge.

The tests share a machine, and each installs what it begins with: in this order most of it is there.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.system import building, debs
from tests.system.booted import CONFIG, DATA, UNIT
from tests.system.container import Container

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.system.debs import Deb

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

PROGRAM = "/usr/bin/edge-agent"
COUNT = """
import glob, json, sqlite3, sys
opened = lambda path: sqlite3.connect(f'file:{path}?mode=ro', uri=True)
counts = {}
for path in glob.glob(sys.argv[1] + '/segments/result-*.db'):
    segment = opened(path)
    if not segment.execute("SELECT 1 FROM sqlite_master WHERE name = 'blocks'").fetchall():
        continue  # the agent is just making it
    [(count,)] = segment.execute('SELECT coalesce(sum(count), 0) FROM blocks')
    epoch = path.rpartition('/')[2].split('-')[1]
    counts[epoch] = counts.get(epoch, 0) + count
[version] = opened(sys.argv[1] + '/state.db').execute('PRAGMA user_version').fetchone()
print(json.dumps([version, counts]))
"""
HOLD = f"""
import fcntl, time
with open('{DATA}/lock', 'r+') as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    open('/run/held', 'w').close()
    time.sleep(600)
"""
LIST = (
    "find / -xdev \\( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /debs "
    "-o -path /var/log -o -path '/var/lib/systemd/*' -o -path '/var/lib/dpkg/*' -o -path '/var/cache/*' \\) "
    "-prune -o -print"
)
"""All files, but for what the system itself writes as it runs."""


@pytest.fixture(scope="module")
def new() -> Deb:
    return debs.new()


@pytest.fixture(scope="module")
def old() -> Deb:
    return debs.old()


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """A booted machine that has never seen the agent."""
    console = tmp_path_factory.mktemp("deb") / "console"
    debs.KEPT.mkdir(parents=True, exist_ok=True)
    with Container(building.clean(), console, {"/debs": debs.KEPT}) as container:
        yield container


@pytest.fixture(scope="module")
def before(machine: Container) -> set[str]:
    """The files of the machine before the package was ever on it."""
    return files(machine)


def files(machine: Container) -> set[str]:
    return set(machine.run("sh", "-c", LIST).stdout.splitlines())


def inside(deb: Deb) -> str:
    return f"/debs/{deb.path.parent.name}/{deb.path.name}"


def begin(machine: Container, *command: str) -> None:
    """Start a command that may take longer than ``run`` waits."""
    script = '"$@" >/tmp/said 2>&1 </dev/null; echo $? >/tmp/code.new; mv /tmp/code.new /tmp/code'
    machine.run(
        "sh", "-c", f"rm -f /tmp/code; setsid sh -c '{script}' sh \"$@\" >/dev/null 2>&1 &", "sh", *command
    )


def ended(machine: Container) -> tuple[int, str]:
    """Wait for it; give its exit code and what it said."""
    machine.until(lambda: machine.run("test", "-e", "/tmp/code").returncode == 0, "end", 280)
    return int(machine.run("cat", "/tmp/code").stdout), machine.run("cat", "/tmp/said").stdout


def dpkg(machine: Container, *words: str) -> str:
    begin(machine, "dpkg", *words)
    code, said = ended(machine)
    assert code == 0, said
    return said


def state(machine: Container, of: str = "${Version} ${db:Status-Status}") -> str:
    return machine.run("dpkg-query", "-W", "-f", of, "edge-agent").stdout


def serving(machine: Container, deb: Deb) -> None:
    """Have a package's service run, unless it does."""
    if state(machine) != f"{deb.version} installed":
        dpkg(machine, "-i", inside(deb))
    if machine.show("ActiveState") != "active":
        machine.start(CONFIG)
    machine.inferring()


def stored(machine: Container) -> tuple[int, dict[str, int]]:
    """The version of the data folder, and how many results of each epoch are in it."""
    told = machine.run("/usr/bin/python3", "-c", COUNT, DATA)
    assert told.returncode == 0, told.stderr
    version, counts = json.loads(told.stdout)
    return version, counts


def test_what_pip_has_installed_is_left_alone_and_the_way_is_told(
    machine: Container, before: set[str], new: Deb
) -> None:
    machine.write("/opt/edge-agent/pyvenv.cfg", "command = python3 -m venv /opt/edge-agent\n")
    begin(machine, "dpkg", "-i", inside(new))
    code, said = ended(machine)
    machine.run("rm", "-r", "/opt/edge-agent")
    assert code == 1
    assert "edge-agent install --remove && sudo mv /opt/edge-agent" in said
    assert files(machine) == before


def test_it_is_installed_whole_waits_for_a_configuration_and_then_serves(
    machine: Container, before: set[str], new: Deb
) -> None:
    assert not any("edge-agent" in name for name in before)
    said = dpkg(machine, "-i", inside(new))
    assert "sudo edge-agent install" in said
    assert machine.run("systemctl", "is-enabled", UNIT).stdout.strip() == "enabled"
    assert (machine.show("ActiveState"), machine.show("ConditionResult")) == ("inactive", "no")
    assert machine.run("dpkg", "--verify", "edge-agent").stdout == ""
    assert (
        f"edge-agent               {new.version.partition('-')[0]}" in machine.run(PROGRAM, "version").stdout
    )
    machine.start(CONFIG)
    machine.inferring()
    machine.until(lambda: sum(stored(machine)[1].values()) > 0, "store a result", 30)
    # The service found all modules compiled: it could not have kept what it compiles.
    compiled = "find /opt/edge-agent/lib -name '*.py' | wc -l; find /opt/edge-agent/lib -name '*.pyc' | wc -l"
    sources, caches = map(int, machine.run("sh", "-c", compiled).stdout.split())
    assert sources == caches


def test_an_older_release_is_refused_while_the_data_folder_cannot_go_back(
    machine: Container, new: Deb, old: Deb
) -> None:
    serving(machine, new)
    machine.run("systemctl", "stop", UNIT)
    machine.run("sh", "-c", '/usr/bin/python3 -c "$0" >/dev/null 2>&1 & echo $! >/run/holder', HOLD)
    machine.until(lambda: machine.run("test", "-e", "/run/held").returncode == 0, "hold the folder", 60)
    begin(machine, "dpkg", "-i", inside(old))
    code, said = ended(machine)
    machine.run("sh", "-c", "kill $(cat /run/holder); rm /run/held")
    assert code != 0
    assert "another agent holds it" in said
    assert "cannot go to release 0.1.0" in said
    assert state(machine) == f"{new.version} installed"
    machine.run("systemctl", "start", UNIT)
    machine.inferring()
    assert stored(machine)[0] > debs.OLD_FOLDER


def test_going_back_to_an_older_release_takes_the_data_folder_along(
    machine: Container, new: Deb, old: Deb
) -> None:
    serving(machine, new)
    version, counts = stored(machine)
    assert version > debs.OLD_FOLDER
    said = dpkg(machine, "-i", inside(old))
    assert f"bringing the data folder from version {version} to version {debs.OLD_FOLDER}" in said
    assert state(machine) == f"{old.version} installed"
    machine.inferring()
    after, held = stored(machine)
    assert after == debs.OLD_FOLDER
    assert (
        counts.items() <= {epoch: min(held.get(epoch, 0), count) for epoch, count in counts.items()}.items()
    )
    machine.until(lambda: len(stored(machine)[1]) > len(counts), "store in an epoch of its own", 30)


def test_an_upgrade_that_is_killed_half_way_is_finished_by_dpkg_and_loses_no_result(
    machine: Container, new: Deb, old: Deb
) -> None:
    serving(machine, old)
    _, counts = stored(machine)
    begin(machine, "dpkg", "-i", inside(new))
    machine.until(lambda: machine.run("pgrep", "-f", "compileall").returncode == 0, "configure", 200)
    machine.run("pkill", "-KILL", "-f", "^dpkg -i|edge-agent.postinst|compileall")
    ended(machine)
    assert state(machine) == f"{new.version} half-configured"
    assert machine.show("ActiveState") == "inactive"
    dpkg(machine, "--configure", "-a")
    assert state(machine) == f"{new.version} installed"
    machine.inferring()
    version, held = stored(machine)
    assert version > debs.OLD_FOLDER
    assert all(held.get(epoch, 0) >= count for epoch, count in counts.items())
    assert machine.run("dpkg", "--verify", "edge-agent").stdout == ""


def test_a_service_that_was_stopped_or_disabled_stays_so_after_an_upgrade(
    machine: Container, new: Deb
) -> None:
    serving(machine, new)
    machine.run("systemctl", "disable", "--now", UNIT)
    dpkg(machine, "-i", inside(new))
    assert machine.run("systemctl", "is-enabled", UNIT).stdout.strip() == "disabled"
    assert machine.show("ActiveState") == "inactive"
    machine.run("systemctl", "enable", UNIT)


def test_removing_keeps_data_configuration_and_secrets_and_purging_leaves_nothing(
    machine: Container, before: set[str], new: Deb
) -> None:
    serving(machine, new)
    key = "/etc/credstore/edge-agent.device-key"
    machine.write(key, "a key")
    machine.agent("install", "--hardware", "serial")
    assert machine.run("test", "-e", f"/etc/systemd/system/{UNIT}.d/edge-agent-serial.conf").returncode == 0
    machine.inferring()
    dpkg(machine, "-r", "edge-agent")
    assert machine.show("ActiveState") == "inactive"
    for kept in (f"{DATA}/state.db", "/etc/edge-agent/agent.toml", key):
        assert machine.run("test", "-s", kept).returncode == 0, kept
    assert machine.run("test", "-e", "/opt/edge-agent").returncode != 0
    dpkg(machine, "-P", "edge-agent")
    # Folders that any program may use, and Debian's own word that a unit was once wanted.
    shared = {"/etc/credstore", "/etc/credstore.encrypted", "/var/lib/private"}
    assert files(machine) - before - shared == set()
