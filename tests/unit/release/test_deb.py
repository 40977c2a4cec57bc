"""The package's parts that need no dpkg: where files go, and what dpkg is told."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from agent.installing.families import FAMILIES
from release.deb import control, tree
from release.deb.build import SCRIPTS
from release.deb.places import place
from release.packages import main
from release.source import HERE, ReleaseFailed, Source, tool
from release.target import Target

if TYPE_CHECKING:
    from pathlib import Path

TARGET = Target("arm64", "3.11")


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("edge-agent.service", "usr/lib/systemd/system/edge-agent.service"),
        ("edge-agent-host.path", "usr/lib/systemd/system/edge-agent-host.path"),
        ("70-edge-agent.rules", "usr/lib/udev/rules.d/70-edge-agent.rules"),
        ("edge-agent.sysusers.conf", "usr/lib/sysusers.d/edge-agent.conf"),
        ("edge-agent.catalog", "usr/lib/systemd/catalog/edge-agent.catalog"),
        ("edge-agent.tmpfiles.conf", "usr/lib/tmpfiles.d/edge-agent.conf"),
        ("edge-agent-serial.conf", None),
        (
            "edge-agent-host-apt.conf",
            "usr/lib/systemd/system/edge-agent-host.service.d/edge-agent-host-apt.conf",
        ),
        ("edgectl-collect.service", None),
        ("edgectl.sysusers.conf", None),
    ],
)
def test_each_file_of_systemd_goes_where_its_program_looks(name: str, where: str | None) -> None:
    assert place(name) == where


def test_whatever_has_no_place_is_the_operators_or_added_by_family() -> None:
    left = {file.name for file in (HERE / "systemd").iterdir() if place(file.name) is None}
    assert {name for name in left if not name.startswith("edgectl")} == {one.drop_in for one in FAMILIES}


@pytest.mark.parametrize("script", sorted(SCRIPTS.iterdir()), ids=lambda path: path.name)
def test_what_dpkg_runs_is_a_posix_script_that_ends_at_the_first_error(script: Path) -> None:
    text = script.read_text()
    assert text.startswith("#!/bin/sh\n")
    assert "\nset -e\n" in text
    subprocess.run(["sh", "-n", str(script)], check=True)


def scripted(tmp_path: Path, script: str, *words: str, fails: str = "") -> subprocess.CompletedProcess[str]:
    """Run a script of dpkg's in a folder that stands for a machine, where systemctl fails at one verb."""
    text = (SCRIPTS / script).read_text().replace("@DATA_FOLDER@", "6")
    for folder in ("/run", "/opt", "/usr", "/etc", "/var"):
        text = text.replace(f"{folder}/", f"{tmp_path}{folder}/")
    for folder in ("run/systemd/system", "opt/edge-agent/lib", "opt/edge-agent/bin", "programs"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    python = tmp_path / "opt/edge-agent/bin/python"
    python.unlink(missing_ok=True)
    python.symlink_to("/bin/true")
    answers = f'echo "$*" >>{tmp_path}/log\n[ "$2" != "{fails or "-"}" ] || exit 5\n'
    answers += "[ $1 != show ] || echo inactive\n"
    for name in ("systemctl", "deb-systemd-helper", "deb-systemd-invoke", "udevadm"):
        (tmp_path / "programs" / name).write_text("#!/bin/sh\n" + answers)
        (tmp_path / "programs" / name).chmod(0o755)
    return subprocess.run(
        ["/bin/sh", "-c", text, script, *words],
        env={"PATH": f"{tmp_path}/programs:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("words", [("remove",), ("upgrade", "2.0"), ("failed-upgrade", "1.0")])
def test_a_package_whose_unit_somebody_has_deleted_can_still_go(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    assert scripted(tmp_path, "prerm", *words, fails="stop").returncode == 0


def test_purging_takes_the_keys_even_if_a_folder_of_data_will_not_go(tmp_path: Path) -> None:
    key = tmp_path / "etc/credstore/edge-agent.device-key"
    key.parent.mkdir(parents=True)
    key.touch()
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs/rm").write_text('#!/bin/sh\n[ "$1" != -rf ] || exit 1\nexec /bin/rm "$@"\n')
    (tmp_path / "programs/rm").chmod(0o755)
    assert scripted(tmp_path, "postrm", "purge").returncode == 1
    assert not key.exists()


def test_the_package_is_not_mixed_with_an_environment_of_pips(tmp_path: Path) -> None:
    told = tmp_path / "opt/edge-agent/pyvenv.cfg"
    told.parent.mkdir(parents=True)
    told.write_text("home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11\n")
    assert scripted(tmp_path, "preinst", "install").returncode == 0  # its own, of a time that was cut off
    told.write_text(told.read_text() + "command = /usr/bin/python3 -m venv /opt/edge-agent\n")
    done = scripted(tmp_path, "preinst", "install")
    assert (done.returncode, "pip has installed the agent here" in done.stderr) == (1, True)
    assert scripted(tmp_path, "preinst", "upgrade", "1.0").returncode == 0
    told.parent.rename(tmp_path / "opt/edge-agent-1.0")
    told.parent.symlink_to("edge-agent-1.0")
    assert scripted(tmp_path, "preinst", "install").returncode == 1


def test_the_helper_goes_with_the_package_whole(tmp_path: Path) -> None:
    wanted = tmp_path / "etc/systemd/system/multi-user.target.wants"
    wanted.mkdir(parents=True)
    for unit in ("edge-agent-host.path", "edge-agent-host.service"):
        (wanted / unit).symlink_to(f"/usr/lib/systemd/system/{unit}")
    scripted(tmp_path, "prerm", "remove")
    stopped = (tmp_path / "log").read_text()
    assert all(f"stop edge-agent-{one}" in stopped for one in ("host.path", "try.service", "fetch.service"))
    assert scripted(tmp_path, "postrm", "purge").returncode == 0
    assert list(wanted.iterdir()) == []


def test_a_way_back_without_a_unit_ends_and_says_what_helps(tmp_path: Path) -> None:
    done = scripted(tmp_path, "postinst", "abort-remove")
    assert (done.returncode, "--reinstall" in done.stderr) == (0, True)
    assert "update-state" not in (tmp_path / "log").read_text()


def test_dpkg_is_told_the_python_the_data_folder_and_the_machine() -> None:
    told = control.control(Source(HERE), TARGET, [], 300)
    assert "Depends: python3.11, libc6 (>= 2.17)," in told
    assert f"Edge-Agent-Data-Folder: {Source(HERE).data_folder}\n" in told
    assert "Architecture: arm64\n" in told
    assert "" not in told.splitlines()


def test_files_get_one_time_and_rights_that_no_umask_changes(tmp_path: Path) -> None:
    program = tmp_path / tree.HOME / "bin" / "edge-agent"
    page = tmp_path / "usr" / "page"
    for path in (program, page):
        path.parent.mkdir(parents=True)
        path.write_text("x" * 1500)
        path.chmod(0o600)
    assert tree.settle(tmp_path, 1_700_000_000) == 4
    assert (program.stat().st_mode & 0o777, page.stat().st_mode & 0o777) == (0o755, 0o644)
    assert page.stat().st_mtime == page.parent.stat().st_mtime == 1_700_000_000
    assert control.checksums(tmp_path).endswith("  usr/page\n")


def test_a_missing_tool_and_a_folder_that_is_no_checkout_are_told_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ReleaseFailed, match=r"run no-such-tool: it is not installed\. Run: apt"):
        tool("no-such-tool", "apt")
    assert main(["--source", str(tmp_path), "--only", "wheel"]) == 1
    assert "read release" in capsys.readouterr().err.splitlines()[-1]
