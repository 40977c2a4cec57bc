"""The programs in docs/howto are run as they stand."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import pytest

from agent.boards import choose
from agent.errors import InputRejected, ModelInvalid, SourceLost
from agent.labels import Labels
from agent.probing.inspection import inspect
from agent.probing.recognition import recognise
from agent.types import FrameInfo, Signature, TensorSpec
from tests.simulators.machines import Board

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
    module.Options.model_rebuild()
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


def test_the_board_is_a_valid_profile_and_recognised(tmp_path: Path) -> None:
    found = re.search(
        r"^```toml\n(.*?)^```", (HOWTO / "add-a-board.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert found
    (tmp_path / "acme-gate-3.toml").write_text(found[1])
    board = Board(("acme,gate-3", "acme,soc")).build(tmp_path / "machine")
    named = recognise("acme-gate-3.toml", tmp_path, board)
    assert (named.profile.name, named.profile.delegates[0].title) == ("acme-gate-3", "npu")
    again = choose([named.profile], "auto", board.facts())
    assert again.why == "the device tree says acme,gate-3"
    assert inspect(named.profile.delegates[0]).wrong == ""
