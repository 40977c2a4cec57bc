from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent import resources
from agent.boards.accelerators import Accelerator
from agent.boards.profiles import Camera, Memory, Profile
from agent.boards.profiles import parse as parse_profile
from agent.config.settings import parse
from agent.config.tables import Deadlines
from agent.errors import EXIT_CONFIG, ConfigInvalid
from agent.plan import Plan, lane_spec

DOCS = Path(__file__).resolve().parents[3] / "docs"
BOARD = Profile(name="board", description="A board", tested=True, threads=2)
HEAD = "name = 'x'\ndescription = ''\ntested = true\n"
PIPELINE = '[[pipelines]]\nname = "door"\nmodel = "m"\nsource = { kind = "synthetic" }\n'


@pytest.mark.parametrize("name", resources.device_profiles())
def test_every_profile_that_comes_with_the_agent_is_valid_and_named_as_its_file(name: str) -> None:
    path = resources.device_profiles()[name]
    profile = parse_profile(path.read_text(), str(path))
    assert profile.name == name
    assert profile.description
    assert profile.match


@pytest.mark.parametrize("name", resources.device_profiles())
def test_a_profile_of_one_board_says_where_its_facts_come_from(name: str) -> None:
    path = resources.device_profiles()[name]
    profile = parse_profile(path.read_text(), str(path))
    assert name.startswith("generic-") or profile.sources
    assert profile.tested == (name == "generic-x86_64")


def test_the_profiles_cover_the_boards_that_the_documentation_names() -> None:
    named = re.findall(r"^\| `([a-z0-9_-]+)` \|", (DOCS / "devices.md").read_text(), re.MULTILINE)
    assert resources.device_profiles().keys() <= set(named)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = ", "p.toml: no valid TOML"),
        (f"a = {'[' * 100_000}", "p.toml: no valid TOML"),
        (f"threads = {'9' * 5000}", "p.toml: no valid TOML"),
        (f'{HEAD}devices = ["/dev/\\u0000"]', "p.toml: devices.0: it holds a NUL character"),
        (f"{HEAD}[match]\nfiles = ['/**/x']", "p.toml: match.0.files.0: Value error, it must name a file"),
        (f"{HEAD}[thermal]\nthrottled = '/'", "p.toml: thermal.throttled"),
        (f"{HEAD}[thermal]\nthrottled = 'sys/x'", "p.toml: thermal.throttled"),
        ("name = 'x'\ntested = true", "p.toml: description: Field required"),
        ("name = 'x'\ndescription = ''\ntested = true\ncolour = 1", "p.toml: colour: Extra inputs"),
        ("name = 'x'\ndescription = ''\ntested = true\nthreads = 0", "p.toml: threads: Input should be"),
        ("name = 'X'\ndescription = ''\ntested = true", "p.toml: name: String should match"),
        (f"{HEAD}[match]\nmodell = ['x']", "p.toml: match.0.modell: Extra inputs"),
        (f"{HEAD}[[match]]\nusb = ['18D1:9302']", "p.toml: match.0.usb.0: String should match"),
        (f"{HEAD}[match]\nfiles = ['dev/apex_0']", "p.toml: match.0.files.0: String should match"),
        (f"{HEAD}[thermal]\nsoft_c = 90\nhard_c = 80", "p.toml: thermal: Value error, soft_c must be below"),
        (f"{HEAD}[thermal]\nsoft = 90", "p.toml: thermal.soft: Extra inputs"),
        (f"{HEAD}[power]\nrail = 1", "p.toml: power.rail: Extra inputs"),
        (f"{HEAD}[memory]\nshare = 2", "p.toml: memory.share: Input should be"),
        (f"{HEAD}[camera]\nwidth = 640", "p.toml: camera: Value error, width and height go together"),
        (f"{HEAD}[[delegates]]\nkind = 'x'\nlimit = 1", "p.toml: delegates.0.limit: Extra inputs"),
        (
            f"{HEAD}[[delegates]]\nkind = 'x'\n[[delegates]]\nkind = 'x'",
            "p.toml: Value error, delegates: two",
        ),
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
    settings = parse(PIPELINE + backend, "agent.toml")
    [pipeline] = settings.pipelines
    folder = tmp_path_factory.getbasetemp()
    spec = lane_spec(pipeline, settings.source_of(pipeline), BOARD, folder, once=True)
    assert spec.backend_options == {"threads": threads}
    assert (spec.pipeline, spec.source, spec.folder, spec.once, spec.limit) == (
        "door",
        "synthetic",
        str(folder),
        True,
        0,
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"format": "MJPG", "fps": 15, "width": 640, "height": 480}),
        ({"fps": 5}, {"format": "MJPG", "fps": 5, "width": 640, "height": 480}),
        ({"width": 320, "height": 240}, {"format": "MJPG", "fps": 15, "width": 320, "height": 240}),
        ({"height": 240}, {"format": "MJPG", "fps": 15, "height": 240}),
    ],
)
def test_a_camera_is_asked_for_what_the_profile_says_where_the_pipeline_does_not(
    options: dict[str, object], expected: dict[str, object]
) -> None:
    assert Camera(format="MJPG", width=640, height=480, fps=15).under(options) == expected
    assert Camera().under(options) == options


@pytest.mark.parametrize(("kind", "expected"), [("camera", {"fps": 15}), ("synthetic", {})])
def test_no_other_source_is_told_what_a_camera_is_asked_for(
    kind: str, expected: dict[str, object], tmp_path: Path
) -> None:
    board = BOARD.model_copy(update={"camera": Camera(fps=15)})
    settings = parse(PIPELINE.replace("synthetic", kind), "agent.toml")
    [pipeline] = settings.pipelines
    assert lane_spec(pipeline, settings.source_of(pipeline), board, tmp_path).source_options == expected


@pytest.mark.parametrize(
    ("backend", "once", "may"),
    [("", False, True), ("", True, False), ('backend = { delegate = "cpu" }\n', False, False)],
)
def test_a_pipeline_may_wait_for_an_accelerator_that_its_board_may_have(
    backend: str, once: bool, may: bool, tmp_path: Path
) -> None:
    board = BOARD.model_copy(update={"delegates": (Accelerator(kind="edgetpu"),)})
    settings = parse(PIPELINE + backend, "agent.toml")
    [pipeline] = settings.pipelines
    assert lane_spec(pipeline, settings.source_of(pipeline), board, tmp_path, once=once).accelerated is may
    assert not lane_spec(pipeline, settings.source_of(pipeline), BOARD, tmp_path).accelerated


def test_models_have_a_fixed_budget_of_memory_or_a_share() -> None:
    assert Memory().budget(1000) == 500
    assert Memory(share=0.25).budget(1000) == 250
    assert Memory(budget_mb=128).budget(1000) == 128


def test_the_service_has_room_for_more_than_its_models() -> None:
    assert Memory(budget_mb=128, service_mb=256).service_mb == 256
    with pytest.raises(ValueError, match="above budget_mb"):
        Memory(budget_mb=128, service_mb=128)
