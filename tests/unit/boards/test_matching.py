from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import resources
from agent.boards import matching as boards
from agent.boards.accelerators import Accelerator
from agent.boards.matching import Facts, Usb, choose
from agent.boards.profiles import Match, Profile
from agent.config.tables import Deadlines
from agent.errors import ConfigInvalid
from agent.probing.inspection import inspect
from agent.probing.recognition import read, recognise
from tests.simulators.machines import BARE_STICK, BOARDS, CORAL_STICK, Board, plug, put

ROOT = Path(__file__).resolve().parents[3]
PROFILES = [read(path) for path in resources.device_profiles().values()]
PI = Facts("aarch64", ("raspberrypi,4-model-b", "brcm,bcm2711"), "Raspberry Pi 4 Model B Rev 1.4")


def profile(name: str, *matches: Match, overlay: bool = False, delegates: tuple[str, ...] = ()) -> Profile:
    return Profile(
        name=name,
        description=name,
        tested=True,
        overlay=overlay,
        match=matches,
        delegates=tuple(Accelerator(kind=kind) for kind in delegates),
    )


ARM = profile("arm", Match(machine=("aarch64", "arm64")))


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_is_recognised_and_says_by_what(name: str, tmp_path: Path) -> None:
    board, why = BOARDS[name]
    found = recognise(machine=board.build(tmp_path))
    assert (found.profile.name, found.why, found.overlays) == (name, why, ())
    assert found.title == name


def test_every_profile_that_comes_with_the_agent_is_recognised_by_some_recorded_board() -> None:
    assert {one.name for one in PROFILES if not one.overlay} == BOARDS.keys()


@given(
    st.lists(
        st.sampled_from([name for board, _ in BOARDS.values() for name in board.compatible]), max_size=4
    ),
    st.sampled_from(["aarch64", "x86_64", "armv7l", "riscv64"]),
    st.sets(st.sampled_from([pattern for one in PROFILES for match in one.match for pattern in match.files])),
)
def test_no_machine_fits_two_profiles_equally_well(
    compatible: list[str], machine: str, files: set[str]
) -> None:
    facts = Facts(machine, tuple(compatible), files={pattern: pattern for pattern in files})
    assert choose(PROFILES, "auto", facts).why  # and it raises nothing


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (Match(compatible=("raspberrypi,4-model-b",)), Match(compatible=("brcm,bcm2711",))),
        (Match(compatible=("brcm,bcm2711",)), Match(model=("Raspberry Pi 4*",), machine=("aarch64",))),
        (Match(compatible=("brcm,*",), machine=("aarch64",)), Match(compatible=("brcm,bcm2711",))),
        (Match(model=("Raspberry Pi 4*",)), Match(machine=("aarch64",))),
        (Match(files=("/dev/x",)), Match(usb=("18d1:*",))),
        (Match(usb=("18d1:*",)), Match(cpuinfo=("Model: Raspberry*",))),
        (Match(cpuinfo=("Model: Raspberry*",)), Match(machine=("aarch64",))),
    ],
)
def test_what_is_nearer_to_the_board_itself_wins_whatever_the_order(better: Match, worse: Match) -> None:
    facts = Facts(
        PI.machine,
        PI.compatible,
        PI.model,
        (Usb("18d1:9302"),),
        ("Model: Raspberry Pi 4",),
        {"/dev/x": "/dev/x"},
    )
    one, other = profile("one", better), profile("other", worse)
    for order in ([one, other], [other, one]):
        assert choose(order, "auto", facts).profile.name == "one"


@pytest.mark.parametrize(
    "missing",
    [
        Match(compatible=("acme,*",), machine=("aarch64",)),
        Match(machine=("aarch64",), model=("Acme*",)),
        Match(machine=("aarch64",), files=("/dev/apex_0",)),
        Match(machine=("aarch64",), usb=("18d1:9302",)),
        Match(machine=("aarch64",), cpuinfo=("Model: Acme*",)),
        Match(machine=("x86_64",), model=("Raspberry*",)),
        Match(),
    ],
)
def test_each_key_that_is_given_must_fit_and_a_match_that_says_nothing_fits_nothing(missing: Match) -> None:
    assert choose([profile("one", missing)], "auto", PI).profile.name == "unknown"


def test_of_several_matches_one_must_fit() -> None:
    both = profile("both", Match(compatible=("acme,*",)), Match(model=("*Pi 4*",)))
    found = choose([ARM, both], "auto", PI)
    assert found.profile.name == "both"
    assert found.why == "the device tree's model is Raspberry Pi 4 Model B Rev 1.4"


def test_two_profiles_that_fit_equally_well_are_an_error_that_names_both() -> None:
    twins = [profile("one", Match(machine=("aarch64",))), profile("two", Match(machine=("aarch64",)))]
    with pytest.raises(ConfigInvalid, match=r"one and two fit equally well\. Name one as profile"):
        choose(twins, "auto", PI)
    assert choose(twins, "two", PI).profile.name == "two"


def test_a_name_wins_over_what_the_machine_is() -> None:
    found = choose([ARM, profile("other", Match(machine=("x86_64",)))], "other", PI)
    assert (found.profile.name, found.why) == ("other", "it was asked for by name")


def test_an_unknown_machine_gets_cautious_values_and_says_what_it_showed() -> None:
    found = choose([ARM], "auto", Facts("riscv64", ("acme,board",)))
    board = found.profile
    assert (board.name, board.tested, board.threads, board.delegates) == ("unknown", False, 1, ())
    assert "riscv64" in board.description
    assert board.deadlines == Deadlines()
    assert found.why == "no profile matches: uname says riscv64; the device tree says acme,board"


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ConfigInvalid, match=r"no such device profile. Use auto or one of: arm") as caught:
        choose([ARM], "bord", PI)
    assert caught.value.loc == ("profile",)


@pytest.mark.parametrize("stick", [CORAL_STICK, BARE_STICK], ids=["running", "without firmware"])
@pytest.mark.parametrize("name", ["raspberry-pi-4", "generic-x86_64"])
def test_a_coral_stick_adds_its_delegate_to_whichever_board_it_is_plugged_into(
    name: str, stick: tuple[str, str, str], tmp_path: Path
) -> None:
    board, _ = BOARDS[name]
    machine = board.build(tmp_path)
    plug(tmp_path, 4, *stick)
    found = recognise(machine=machine)
    assert found.title == f"{name} + coral-usb"
    assert found.overlays == (("coral-usb", f"the USB has {stick[0]} ({stick[1]})"),)
    assert [(one.title, one.reset) for one in found.profile.delegates] == [("edgetpu", "usb")]


def test_where_its_library_is_installed_a_coral_stick_is_looked_for_before_it_is_plugged_in(
    tmp_path: Path,
) -> None:
    board = Board(machine="x86_64", files={"usr/lib/x86_64-linux-gnu/libedgetpu.so.1.0": ""})
    found = recognise(machine=board.build(tmp_path))
    assert found.overlays == (("coral-usb", "/usr/lib/x86_64-linux-gnu/libedgetpu.so.1.0 is there"),)


def test_a_delegate_that_the_board_names_itself_is_not_added_again(tmp_path: Path) -> None:
    board, _ = BOARDS["coral-dev-board"]
    machine = board.build(tmp_path)
    put(tmp_path, "dev/apex_0", "")
    put(tmp_path, "usr/lib/aarch64-linux-gnu/libedgetpu.so.1", "")
    found = recognise(machine=machine)
    assert found.title == "coral-dev-board + coral-pcie + coral-usb"
    assert [(one.title, one.reset) for one in found.profile.delegates] == [("edgetpu", "")]
    assert found.profile.devices == ("/dev/apex_0",)


def test_overlays_come_in_front_of_the_boards_own_delegates_and_add_their_devices() -> None:
    board = profile("board", Match(machine=("aarch64",)), delegates=("vx", "cpu"))
    stick = profile("stick", Match(machine=("aarch64",)), overlay=True, delegates=("edgetpu", "vx"))
    found = choose([board, stick.model_copy(update={"devices": ("/dev/a",)})], "auto", PI)
    assert [one.title for one in found.profile.delegates] == ["edgetpu", "vx", "cpu"]
    assert found.profile.devices == ("/dev/a",)


def test_an_overlay_that_is_asked_for_by_name_is_added_to_the_board_that_is_recognised() -> None:
    stick = profile("stick", Match(usb=("18d1:9302",)), overlay=True, delegates=("edgetpu",))
    found = choose([ARM, stick], "stick", PI)
    assert (found.title, found.overlays) == ("arm + stick", (("stick", "it was asked for by name"),))
    assert [one.kind for one in found.profile.delegates] == ["edgetpu"]


def test_an_overlay_alone_is_no_board() -> None:
    stick = profile("stick", Match(machine=("aarch64",)), overlay=True, delegates=("edgetpu",))
    found = choose([stick], "auto", PI)
    assert found.title == "unknown + stick"


def test_a_profile_of_ones_own_is_read_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('name = "mine"\ndescription = "Mine"\ntested = true\nthreads = 3\n')
    board, _ = BOARDS["raspberry-pi-4"]
    machine = board.build(tmp_path / "machine")
    for wanted in ("mine.toml", "./mine.toml", str(tmp_path / "mine.toml")):
        found = recognise(wanted, tmp_path, machine)
        assert (found.profile.name, found.profile.threads) == ("mine", 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "no such file"),
        ("name = 1", "mine.toml: name: Input should be a valid string"),
        ("\xff" * (1 << 16), "larger than 64 KB"),
    ],
)
def test_a_file_that_is_no_profile_is_refused_with_the_reason(
    text: str | None, said: str, tmp_path: Path
) -> None:
    if text is not None:
        (tmp_path / "mine.toml").write_text(text, encoding="latin-1" if text.startswith("\xff") else None)
    with pytest.raises(ConfigInvalid) as caught:
        recognise("./mine.toml", tmp_path)
    assert said in str(caught.value) or "no utf-8 text" in str(caught.value)


def test_auto_is_what_the_configuration_calls_it() -> None:
    from agent.config.settings import Settings

    assert Settings.model_fields["profile"].default == boards.AUTO


def test_the_board_of_the_page_on_adding_one_is_a_valid_profile_and_recognised(tmp_path: Path) -> None:
    page = (ROOT / "docs/howto/add-a-board.md").read_text()
    found = re.search(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert found
    (tmp_path / "acme-gate-3.toml").write_text(found[1])
    machine = Board(("acme,gate-3", "acme,soc")).build(tmp_path / "machine")
    named = recognise("acme-gate-3.toml", tmp_path, machine)
    assert (named.profile.name, named.profile.delegates[0].title) == ("acme-gate-3", "npu")
    again = choose([named.profile], "auto", machine.facts())
    assert again.why == "the device tree says acme,gate-3"
    assert inspect(named.profile.delegates[0]).wrong == ""
