from __future__ import annotations

import pytest

from agent import resources
from agent.config import parse
from agent.errors import EXIT_CONFIG, ConfigInvalid
from agent.plan import Plan, lane_spec
from agent.profiles import Match, Profile, choose
from agent.profiles import parse as parse_profile
from agent.tables import Deadlines

BOARD = Profile(
    name="board", description="A board", tested=True, match=Match(machine=("aarch64", "arm64")), threads=2
)
OTHER = Profile(name="other", description="Another", tested=False, match=Match(machine=("aarch64",)))
PIPELINE = '[[pipelines]]\nname = "door"\nmodel = "m"\nsource = { kind = "synthetic" }\n'


@pytest.mark.parametrize("name", resources.device_profiles())
def test_every_profile_that_comes_with_the_agent_is_valid_and_named_as_its_file(name: str) -> None:
    path = resources.device_profiles()[name]
    profile = parse_profile(path.read_text(), str(path))
    assert profile.name == name
    assert profile.description
    assert profile.match.machine


def test_no_machine_is_claimed_by_two_profiles_that_come_with_the_agent() -> None:
    files = resources.device_profiles().values()
    machines = [m for file in files for m in parse_profile(file.read_text(), str(file)).match.machine]
    assert sorted(set(machines)) == sorted(machines)
    assert {"x86_64", "aarch64"} <= set(machines)


def test_auto_takes_the_first_profile_that_matches_the_machine() -> None:
    assert choose([BOARD, OTHER], "auto", "aarch64") is BOARD
    assert choose([OTHER, BOARD], "auto", "aarch64") is OTHER


def test_a_name_wins_over_what_the_machine_is() -> None:
    assert choose([BOARD, OTHER], "other", "x86_64") is OTHER


def test_an_unknown_machine_gets_cautious_values() -> None:
    profile = choose([BOARD], "auto", "riscv64")
    assert (profile.name, profile.tested, profile.threads) == ("unknown", False, 1)
    assert "riscv64" in profile.description
    assert profile.deadlines == Deadlines()


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(
        ConfigInvalid, match=r"no such device profile. Use auto or one of: board, other"
    ) as caught:
        choose([BOARD, OTHER], "bord", "aarch64")
    assert caught.value.loc == ("profile",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = ", "p.toml: no valid TOML"),
        ("name = 'x'\ntested = true", "p.toml: description: Field required"),
        ("name = 'x'\ndescription = ''\ntested = true\ncolour = 1", "p.toml: colour: Extra inputs"),
        ("name = 'x'\ndescription = ''\ntested = true\nthreads = 0", "p.toml: threads: Input should be"),
        ("name = 'X'\ndescription = ''\ntested = true", "p.toml: name: String should match"),
    ],
)
def test_a_wrong_profile_is_refused_with_file_and_key(text: str, said: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        parse_profile(text, "p.toml")
    assert said in str(caught.value)
    assert caught.value.exit_code == EXIT_CONFIG


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("", Deadlines(capture_s=40, load_s=50)),
        ("[deadlines]\n", Deadlines(capture_s=40, load_s=50)),
        ("[deadlines]\ninvoke_s = 2\n", Deadlines(capture_s=40, load_s=50, invoke_s=2)),
        ("[deadlines]\ncapture_s = 15\n", Deadlines(capture_s=15, load_s=50)),
    ],
)
def test_configured_deadlines_go_over_those_of_the_profile_one_by_one(
    table: str, expected: Deadlines, tmp_path_factory: pytest.TempPathFactory
) -> None:
    profile = BOARD.model_copy(update={"deadlines": Deadlines(capture_s=40, load_s=50)})
    folder = tmp_path_factory.getbasetemp()
    plan = Plan(parse(table + PIPELINE, "agent.toml"), folder, profile, "device", folder, folder / "sock", ())
    assert plan.deadlines == expected


@pytest.mark.parametrize(("backend", "threads"), [("", 2), ("backend = { threads = 4 }\n", 4)])
def test_a_pipeline_gets_the_profiles_threads_unless_it_says_its_own(
    backend: str, threads: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    [pipeline] = parse(PIPELINE + backend, "agent.toml").pipelines
    folder = tmp_path_factory.getbasetemp()
    spec = lane_spec(pipeline, BOARD, folder, once=True)
    assert spec.backend_options == {"threads": threads}
    assert (spec.pipeline, spec.source, spec.folder, spec.once, spec.limit) == (
        "door",
        "synthetic",
        str(folder),
        True,
        0,
    )
