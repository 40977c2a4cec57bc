"""Installing and removing in a folder that stands for a machine; commands are only noted."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from agent.errors import AgentError
from agent.installing import applying, removal
from agent.installing import record as records
from agent.installing.plan import Command, File, Link, Plan
from agent.installing.record import RECORD, Record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

UNIT = "/etc/systemd/system/edge-agent.service"
LINK = "/usr/local/bin/edge-agent"
CONFIG = "/etc/edge-agent/agent.toml"
PLAN = Plan(
    (File(UNIT, b"[Unit]\n"), File(CONFIG, b"# first\n", once=True)),
    (Link(LINK, "/opt/edge-agent/bin/edge-agent"),),
    (Command(("reload",), if_changed=True), Command(("enable",))),
)


class Machine:
    """A folder, and what was told and run on it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.told: dict[str, str] = {}
        self.ran: list[str] = []
        self.broken = ""

    def run(self, argv: tuple[str, ...]) -> None:
        if argv[0] == self.broken:
            raise AgentError("run", argv[0], "it fails")
        self.ran.append(" ".join(argv))

    def install(self, plan: Plan = PLAN, *, force: bool = False) -> dict[str, str]:
        self.told, self.ran = {}, []
        known = records.read(self.root) or Record()
        steps = applying.judge(plan, self.root, known, force=force)
        applying.apply(plan, self.root, known, steps, tell=self.tell, run=self.run)
        return self.told

    def remove(self, *, force: bool = False, purge: bool = False, image: bool = False) -> dict[str, str]:
        self.told, self.ran = {}, []
        known = records.read(self.root) or Record()
        steps = removal.judge(self.root, known, force=force, purge=purge)
        removal.apply(self.root, known, steps, image=image, tell=self.tell, run=self.run)
        return self.told

    def tell(self, did: str, what: str) -> None:
        if did != "ran":
            self.told[what] = did

    def at(self, path: str) -> Path:
        return records.below(self.root, path)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_files_links_and_commands_are_done_once(machine: Machine) -> None:
    assert machine.install() == {UNIT: "written", CONFIG: "written", LINK: "linked"}
    assert machine.ran == ["reload", "enable"]
    assert machine.at(UNIT).stat().st_mode & 0o777 == 0o644
    assert machine.install() == {UNIT: "unchanged", CONFIG: "kept", LINK: "unchanged"}
    assert machine.ran == ["enable"]


def test_a_newer_release_replaces_what_an_older_one_wrote(machine: Machine) -> None:
    machine.install()
    newer = Plan((File(UNIT, b"[Unit]\nA=1\n"),), PLAN.links, PLAN.commands)
    assert machine.install(newer)[UNIT] == "replaced"
    assert machine.ran == ["reload", "enable"]


def test_what_somebody_has_changed_is_not_overwritten_and_nothing_else_is_done(machine: Machine) -> None:
    machine.install()
    machine.at(UNIT).write_text("mine")
    newer = Plan((File("/etc/new", b""), File(UNIT, b"[Unit]\nA=1\n")), (), ())
    with pytest.raises(AgentError, match=r"somebody has changed it.*--force"):
        machine.install(newer)
    assert not machine.at("/etc/new").exists()
    assert machine.install(newer, force=True)[UNIT] == "replaced"
    assert machine.at(UNIT).read_text() == "[Unit]\nA=1\n"


def test_a_file_that_was_put_there_by_hand_and_is_the_same_is_taken_as_installed(machine: Machine) -> None:
    machine.at(UNIT).parent.mkdir(parents=True)
    machine.at(UNIT).write_bytes(b"[Unit]\n")
    assert machine.install()[UNIT] == "unchanged"
    assert machine.remove()[UNIT] == "removed"


class Cut(BaseException):
    """The power is gone."""


@pytest.mark.parametrize("writes", range(1, 6))
def test_wherever_an_installation_is_cut_off_removing_leaves_nothing_and_another_release_is_installed(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    left = writes

    def cut_before(real: Callable[..., None]) -> Callable[..., None]:
        def cut(*words: object, **named: object) -> None:
            nonlocal left
            left -= 1
            if not left:
                raise Cut
            real(*words, **named)

        return cut

    older = Plan((File(UNIT, b"[Unit]\n"), File("/etc/rules", b"a")), PLAN.links, PLAN.commands)
    newer = Plan((File(UNIT, b"[Unit]\nA=1\n"), File("/etc/rules", b"b")), PLAN.links, PLAN.commands)
    newest = Plan((File(UNIT, b"[Unit]\nA=2\n"), File("/etc/rules", b"c")), PLAN.links, PLAN.commands)
    for plan in (older, newer):
        left = writes
        with monkeypatch.context() as now:
            now.setattr(applying, "_write", cut_before(applying._write))
            now.setattr(applying, "_link", cut_before(applying._link))
            now.setattr(records, "write", cut_before(records.write))
            with contextlib.suppress(Cut):
                machine.install(plan)
    with contextlib.suppress(FileNotFoundError):
        assert set(machine.install(newest).values()) <= {"written", "replaced", "linked", "unchanged"}
    machine.remove()
    assert not [one for one in machine.root.rglob("*") if one.is_file() or one.is_symlink()]


def test_what_was_cut_off_for_the_first_time_can_be_removed(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as now:
        now.setattr(applying, "_link", lambda *_: (_ for _ in ()).throw(Cut))
        with pytest.raises(Cut):
            machine.install()
    assert machine.remove()[UNIT] == "removed"
    assert not machine.at(UNIT).exists()


def test_a_first_configuration_does_not_take_the_place_of_a_link_whose_disk_is_not_there(
    machine: Machine,
) -> None:
    machine.at(CONFIG).parent.mkdir(parents=True)
    machine.at(CONFIG).symlink_to("/mnt/not-there.toml")
    assert machine.install()[CONFIG] == "kept"
    assert machine.at(CONFIG).is_symlink()


def test_a_record_in_an_image_has_nothing_of_this_machine_removed(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "image")
    machine.root.mkdir()
    (tmp_path / "precious").write_bytes(b"mine")
    records.write(machine.root, Record(files={"/../precious": records.digest(b"mine")}))
    with pytest.raises(AgentError, match="leads out of"):
        machine.install()
    assert (tmp_path / "precious").exists()


def test_two_at_once_do_not_take_each_others_files_for_changes(machine: Machine) -> None:
    again = records.held(machine.root)
    with records.held(machine.root), pytest.raises(AgentError, match="another edge-agent install"), again:
        pass
    with records.held(machine.root):
        pass


def test_a_disk_of_its_own_is_emptied_and_stays(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    data = machine.at("/var/lib/private/edge-agent")
    (data / "segments").mkdir(parents=True)
    (data / "state.db").touch()
    monkeypatch.setattr(type(data), "is_mount", lambda one: one == data)
    machine.remove(purge=True)
    assert list(data.iterdir()) == []


def test_a_unit_that_is_masked_is_told(machine: Machine) -> None:
    machine.at(UNIT).parent.mkdir(parents=True)
    machine.at(UNIT).symlink_to("/dev/null")
    with pytest.raises(AgentError, match=r"no file.*unmask"):
        machine.install()


def test_what_is_wanted_no_more_goes_unless_somebody_has_changed_it(machine: Machine) -> None:
    more = Plan((*PLAN.files, File("/etc/a", b"a"), File("/etc/b", b"b")), PLAN.links, PLAN.commands)
    machine.install(more)
    machine.at("/etc/b").write_text("mine")
    assert machine.install()["/etc/a"] == "removed"
    assert machine.at("/etc/b").read_text() == "mine"
    assert "/etc/b" not in machine.told


def test_a_link_to_elsewhere_stays(machine: Machine) -> None:
    machine.at(LINK).parent.mkdir(parents=True)
    machine.at(LINK).symlink_to("/elsewhere")
    assert machine.install()[LINK] == "kept"
    machine.remove()
    assert str(machine.at(LINK).readlink()) == "/elsewhere"


def test_links_of_an_image_do_not_lead_out_of_it(
    machine: Machine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("host")
    machine.at("/etc").symlink_to(outside)
    with pytest.raises(AgentError, match="leads out of"):
        machine.install()
    with pytest.raises(AgentError, match="leads out of"):
        machine.remove(purge=True)
    assert list(outside.iterdir()) == []


def test_the_record_of_an_image_removes_nothing_outside_of_it(machine: Machine, tmp_path: Path) -> None:
    machine.root = tmp_path / "image"
    mine = tmp_path / "mine"
    mine.write_text("")
    records.write(machine.root, Record(files={"/../mine": records.digest(b"")}))
    with pytest.raises(AgentError, match="leads out of"):
        machine.remove()
    assert mine.exists()


def test_after_a_command_that_failed_the_next_run_repeats_them_all(machine: Machine) -> None:
    machine.broken = "enable"
    with pytest.raises(AgentError, match="it fails"):
        machine.install()
    machine.broken = ""
    assert machine.install() == {UNIT: "unchanged", CONFIG: "kept", LINK: "unchanged"}
    assert machine.ran == ["reload", "enable"]


def test_removing_takes_what_was_installed_and_leaves_configuration_and_data(machine: Machine) -> None:
    machine.install()
    machine.at("/var/lib/private/edge-agent").mkdir(parents=True)
    assert machine.remove() == {UNIT: "removed", LINK: "removed", CONFIG: "kept"}
    assert machine.ran[0] == "systemctl disable --now edge-agent.service"
    assert machine.ran[-1] == "systemctl daemon-reload"
    assert not machine.at(RECORD).exists()
    assert machine.at("/var/lib/private/edge-agent").is_dir()
    assert machine.remove() == {}


def test_removing_leaves_what_somebody_has_changed(machine: Machine) -> None:
    machine.install()
    machine.at(UNIT).write_text("mine")
    assert machine.remove()[UNIT] == "kept"
    machine.install(force=True)
    machine.at(UNIT).write_text("mine")
    assert machine.remove(force=True)[UNIT] == "removed"


def test_purging_takes_configuration_secrets_and_data_and_nobody_elses(machine: Machine) -> None:
    machine.install()
    for path in (
        "/etc/credstore/edge-agent.device-key",
        "/etc/credstore/others",
        "/var/lib/private/edge-agent/x",
    ):
        machine.at(path).parent.mkdir(parents=True, exist_ok=True)
        machine.at(path).write_text("")
    machine.at("/var/lib/edge-agent").symlink_to("private/edge-agent")
    machine.remove(purge=True)
    left = sorted(one.name for one in machine.root.rglob("*") if not one.is_dir() or one.is_symlink())
    assert left == ["others"]


def test_an_image_is_cleaned_without_a_command(machine: Machine) -> None:
    machine.install()
    machine.remove(image=True)
    assert machine.ran == []


def test_beside_a_package_its_service_goes_on(machine: Machine) -> None:
    drop_in = f"{UNIT}.d/edge-agent-can.conf"
    machine.install(Plan((File(drop_in, b""),), (), ()))
    assert machine.remove() == {drop_in: "removed"}
    assert machine.ran == ["systemctl daemon-reload", "systemctl try-restart edge-agent.service"]
    assert not machine.at(f"{UNIT}.d").exists()


def test_a_record_that_is_none_is_told(machine: Machine) -> None:
    machine.at(RECORD).parent.mkdir(parents=True)
    machine.at(RECORD).write_text('{"files": 1}')
    with pytest.raises(AgentError, match="no record of an installation"):
        machine.install()
