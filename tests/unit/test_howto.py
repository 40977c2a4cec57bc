"""The programs in docs/howto are run as they stand."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from agent.backends._runtimes import choose
from agent.commands.seams import Order, Reach
from agent.contracts.checks import Subject, problem_of
from agent.contracts.rooms import checks_of
from agent.errors import DelegateLost, InputRejected, ModelInvalid, Rejected, SourceLost
from agent.labels import Labels
from agent.types import Frame, FrameInfo, Result, Signature, TensorSpec
from tests.simulators import foreign_plugins, lying_delegate

if TYPE_CHECKING:
    from collections.abc import Iterator

HOWTO = Path(__file__).resolve().parents[2] / "docs" / "howto"


@pytest.fixture
def example(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The first Python program of the page that the test names."""
    found = re.search(r"^```python\n(.*?)^```", (HOWTO / request.param).read_text(), re.MULTILINE | re.DOTALL)
    assert found
    module = ModuleType("howto_example")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(found[1], request.param, "exec"), module.__dict__)  # noqa: S102 - our own page
    (vars(module).get("Options") or module.Args).model_rebuild()
    return module


@pytest.mark.parametrize("example", ["add-a-source.md"], indirect=True)
def test_the_source_gives_windows_and_says_when_its_sensor_is_gone(
    example: ModuleType, tmp_path: Path
) -> None:
    sensor = tmp_path / "temp"
    sensor.write_text("41500\n")
    source = example.build(example.Options(path=sensor, samples=3, rate=1000), start=7)
    first, second = source.read(1.0), source.read(1.0)
    assert (first.seq, second.seq) == (7, 8)
    assert first.captured_ns < second.captured_ns
    assert first.data.tolist() == [[41.5]] * 3
    sensor.unlink()
    with pytest.raises(SourceLost):
        source.read(1.0)
    source.close()


@pytest.mark.parametrize("example", ["add-a-source.md"], indirect=True)
def test_the_source_gives_nothing_when_its_window_is_not_full_in_time(
    example: ModuleType, tmp_path: Path
) -> None:
    sensor = tmp_path / "temp"
    sensor.write_text("41500\n")
    source = example.build(example.Options(path=sensor, samples=100, rate=100), start=0)
    assert source.read(0.02) is None
    source.close()


@pytest.mark.parametrize("example", ["add-a-backend.md"], indirect=True)
def test_the_backend_runs_its_model_and_refuses_what_is_none(example: ModuleType) -> None:
    model = json.dumps({"weights": [[1, -1], [2, 0]], "bias": [0.5, 0]}).encode()
    backend = example.build(example.Options(relu=True), model)
    assert backend.infer([np.array([[1, 1]], np.float32)])[0].tolist() == [[3.5, 0]]
    with pytest.raises(InputRejected):
        backend.infer([np.zeros((1, 3), np.float32)])
    backend.close()
    for bad in (b"", b"[]", b'{"weights": [1], "bias": [1]}'):
        with pytest.raises(ModelInvalid):
            example.build(example.Options(), bad)


@pytest.mark.parametrize("example", ["add-a-decoder.md"], indirect=True)
def test_the_decoder_names_the_band_and_refuses_other_models(example: ModuleType) -> None:
    spec = TensorSpec("level", "int8", (1, 1), scale=(0.01,), zero_point=(0,))
    options = example.Options(limits=(0.2, 0.8))
    decoder = example.build(options, Signature((), (spec,)), Labels(("low", "fine", "high")))
    frame = FrameInfo(0, 0, 480, 640)
    bands = [decoder.decode([np.array([[raw]], np.int8)], frame).items[0]["band"] for raw in (10, 50, 100)]
    assert bands == ["low", "fine", "high"]
    with pytest.raises(ModelInvalid):
        example.build(options, Signature((), (TensorSpec("y", "float32", (1, 2)),)), Labels())


@pytest.mark.parametrize("example", ["add-a-delegate.md"], indirect=True)
def test_the_delegate_is_found_opened_and_reset_and_says_what_is_missing(
    example: ModuleType, tmp_path: Path
) -> None:
    delegate = example.build(example.Options(), tmp_path)
    assert delegate.probe().why == "libacme_delegate.so is not installed"
    with pytest.raises(DelegateLost, match="Install acme-npu"):
        delegate.open(choose().module.load_delegate)
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "usr/lib/libacme_delegate.so").write_bytes(lying_delegate.library().read_bytes())
    assert delegate.probe().why == "/dev/acme0 is not there"
    assert not delegate.reset()
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/acme0").touch()
    assert delegate.probe().there
    assert delegate.open(choose().module.load_delegate) is not None
    assert delegate.describe() == "libacme_delegate.so, /dev/acme0"
    assert delegate.variant == "acme"
    (tmp_path / "sys/class/acme/acme0").mkdir(parents=True)
    assert delegate.reset()


def arrived(filter_: Any, seconds: float, *labels: str) -> list[str]:
    """Pass a result of these labels; give those that have arrived."""
    items = tuple({"label": label, "index": 0, "score": 0.9} for label in labels)
    earlier = {"event": "zone.entered", "zone": "yard"}
    passed = filter_.apply(Result("detection", items, (earlier,)), FrameInfo(0, int(seconds * 1e9), 480, 640))
    assert passed.items == items
    assert passed.events[0] == earlier
    return [event["label"] for event in passed.events[1:] if event["event"] == "label.arrived"]


@pytest.mark.parametrize("example", ["add-a-filter.md"], indirect=True)
def test_the_filter_tells_labels_that_were_away_and_forgets_what_is_too_much(example: ModuleType) -> None:
    filter_ = example.build(example.Options(away_s=5))
    assert arrived(filter_, 0, "person", "car", "person") == ["person", "car"]
    assert arrived(filter_, 4, "person") == []
    assert arrived(filter_, 8, "person", "car") == ["car"]
    assert arrived(filter_, 9, *map(str, range(256))) == [str(n) for n in range(256)]
    assert arrived(filter_, 10, "person") == ["person"]


@pytest.mark.parametrize("example", ["add-a-gate.md"], indirect=True)
def test_the_gate_leaves_out_what_is_dark_and_refuses_what_is_no_picture(example: ModuleType) -> None:
    gate = example.build(example.Options(least=24))
    assert gate.admit(Frame(0, 0, np.full((4, 4, 3), 23, np.uint8))) is None
    assert gate.admit(Frame(0, 0, np.full((4, 4, 3), 24, np.uint8))) is not None
    with pytest.raises(InputRejected, match="is no picture"):
        gate.admit(Frame(0, 0, np.zeros((4, 4), np.float32)))


@pytest.mark.parametrize(
    ("page", "room"),
    [("add-a-filter.md", "filters"), ("add-a-gate.md", "gates"), ("add-a-decoder.md", "decoders")],
)
def test_each_passes_the_checks_that_are_shipped(
    page: str, room: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = re.search(r"^```python\n(.*?)^```", (HOWTO / page).read_text(), re.MULTILINE | re.DOTALL)
    assert found
    foreign_plugins.install(tmp_path, room, f"howto_{room}", found[1])
    monkeypatch.syspath_prepend(str(tmp_path))
    subject = Subject(room, f"howto_{room}")
    problems = {check.name: problem_of(check, subject) for check in checks_of(room)}
    assert {check: problem for check, problem in problems.items() if problem} == {}


@pytest.mark.parametrize("example", ["add-a-command.md"], indirect=True)
def test_the_command_counts_pipelines_and_says_where_there_are_none(example: ModuleType) -> None:
    class Lanes:
        names = ("door", "yard")

        def restart(self, pipeline: str) -> None:
            raise AssertionError(pipeline)

    order = Order("test-0001")
    reach = Reach(device="gate", status=dict, lanes=Lanes())
    assert example.run(example.Args(), order, reach).result == {"pipelines": 2}
    with pytest.raises(Rejected, match="none"):
        example.run(example.Args(), order, Reach(device="gate", status=dict))
