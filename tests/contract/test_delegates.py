"""What every delegate promises; vendors' libraries have the lying accelerator in their place.

A new module in ``agent/delegates`` is found by itself; it needs an example here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydantic import ValidationError

from agent import plugins
from agent.backends._runtimes import choose
from agent.boards.accelerators import Accelerator
from agent.errors import DelegateLost
from tests import runtimes
from tests.simulators import tiny_models
from tests.simulators.lying_delegate import ANY, LyingDelegate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import ModuleType

    from agent.boards.delegation import Delegate

SHAPE = (1, 2, 3, 4)


@dataclass(frozen=True)
class Example:
    """What a delegate is tested with.

    Attributes:
        library: the file name that it looks for; "" for none.
        device: a device node that it looks for.
        demanded: whether it is of no use without one.
        passed: what it tells its library by itself.
        options: what it must be told.
    """

    library: str = ""
    device: str = ""
    demanded: bool = False
    passed: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)


EXAMPLES = {
    "armnn": Example("libarmnnDelegate.so.29.1", "/dev/mali0", passed={"backends": "GpuAcc,CpuAcc"}),
    "cpu": Example(),
    "edgetpu": Example("libedgetpu.so.1", "/dev/apex_0", demanded=True, passed={"Performance": "Max"}),
    "ethosu": Example(
        "libethosu_delegate.so", "/dev/ethosu0", demanded=True, passed={"device_name": "/dev/ethosu0"}
    ),
    "external": Example("libvendor.so", options={"library": "libvendor.so"}),
    "gpu": Example("gpu_external_delegate.so", "/dev/mali0"),
    "nnapi": Example("nnapi_external_delegate.so"),
    "vx": Example("libvx_delegate.so", "/dev/galcore", demanded=True),
    "xnnpack": Example(),
}


class Board:
    """A machine that has the delegate's library and device, and a way to be without."""

    def __init__(self, name: str, root: Path, lying: LyingDelegate) -> None:
        self.name, self.root, self.lying = name, root, lying
        self.module: ModuleType = plugins.load("delegates", name)
        self.example = EXAMPLES[name]
        self.passed: dict[str, str] = {}

    def install(self) -> None:
        if self.example.library:
            (self.root / "usr/lib").mkdir(parents=True)
            (self.root / "usr/lib" / self.example.library).write_bytes(self.lying.library.read_bytes())

    def plug(self) -> None:
        if self.example.device:
            (self.root / "dev").mkdir()
            (self.root / self.example.device.lstrip("/")).touch()

    def build(self, **more: Any) -> Delegate:
        native = Accelerator(kind=self.name).native
        told = {"options": self.lying.options, **self.example.options} if native else {}
        where = (self.root,) if native else ()
        delegate: Delegate = self.module.build(self.module.Options(**told, **more), *where)
        return delegate

    def load(self, path: str, options: Mapping[str, str]) -> object:
        """Open with the runtime's own function, and note what it was told."""
        self.passed = dict(options)
        return choose(runtimes.CHOSEN).module.load_delegate(path, dict(options))


@pytest.fixture(params=plugins.names("delegates"))
def board(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Board:
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    lying = LyingDelegate(tmp_path / "lying", ANY)
    lying.learn(tiny_models.echo("uint8", SHAPE), [[values()]])
    return Board(request.param, tmp_path, lying)


def values() -> Any:
    return np.arange(24, dtype=np.uint8).reshape(SHAPE)


def test_there_is_an_example_for_each() -> None:
    assert EXAMPLES.keys() == set(plugins.names("delegates"))


def test_options_are_checked_and_fixed(board: Board) -> None:
    options = board.module.Options(**board.example.options)
    with pytest.raises(ValidationError):
        board.module.Options(**board.example.options, no_such_option=1)
    with pytest.raises(ValidationError):
        options.__setattr__(next(iter(type(options).model_fields), "any"), 1)


def test_what_is_not_there_is_told_in_one_line_and_what_needs_nothing_is_always_there(board: Board) -> None:
    found = board.build().probe()
    assert found.why
    assert "\n" not in found.why
    assert found.there is (board.example.library == "")


def test_a_library_without_its_device_is_there_only_where_it_needs_none(board: Board) -> None:
    board.install()
    found = board.build().probe()
    assert found.there is not board.example.demanded
    if board.example.device and board.example.demanded:
        assert board.example.device.rstrip("0") in found.why


def test_one_that_is_there_is_found_and_nothing_is_loaded_by_looking(board: Board) -> None:
    board.install()
    board.plug()
    found = board.build().probe()
    assert found.there
    assert found.library.endswith(board.example.library)
    assert board.example.device in (found.devices or ("",))
    assert board.lying.counted("open") == 0


def test_it_may_reach_its_library_and_its_devices_and_what_it_is_told(board: Board) -> None:
    board.install()
    needs = board.build().needs()
    assert not needs.network
    if board.example.library:
        assert board.build().probe().library in needs.read
        more = board.build(read=("/srv/cache",), devices=("/dev/other",)).needs()
        assert "/srv/cache" in more.read
        assert more.devices == ("/dev/other",)
    if board.example.device:
        assert any(board.example.device.startswith(one) for one in needs.devices)


def test_devices_that_are_named_are_looked_for_in_place_of_the_usual(board: Board) -> None:
    if not board.example.library:
        pytest.skip("it has no devices")
    board.install()
    board.plug()
    delegate = board.build(devices=("/dev/other",))
    assert delegate.probe().why == "/dev/other is not there"
    (board.root / "dev").mkdir(exist_ok=True)
    (board.root / "dev/other").touch()
    assert delegate.probe().devices == ("/dev/other",)


def test_what_it_opens_runs_a_model(board: Board) -> None:
    board.install()
    board.plug()
    delegate = board.build()
    opened = delegate.open(board.load)
    interpreter = choose(runtimes.CHOSEN).module.Interpreter(
        model_content=tiny_models.echo("uint8", SHAPE),
        experimental_delegates=[] if opened is None else [opened],
    )
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], values())
    interpreter.invoke()
    output = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    assert np.array_equal(output.reshape(SHAPE), values())
    assert board.lying.counted("invoke") == (1 if board.example.library else 0)
    assert delegate.describe()
    assert "\n" not in delegate.describe()
    told = {name: value for name, value in board.passed.items() if name not in board.lying.options}
    assert told == board.example.passed


def test_one_that_cannot_be_opened_is_lost_in_one_line_with_the_next_step(board: Board) -> None:
    if not board.example.library:
        assert board.build().open(board.load) is None
        return
    with pytest.raises(DelegateLost, match=f"^open delegate {board.name}: .* is not installed") as caught:
        board.build().open(board.load)
    board.install()
    board.lying.set("null")
    with pytest.raises(DelegateLost, match="gives no delegate") as silent:
        board.build().open(board.load)
    for error in (caught.value, silent.value):
        assert error.hint
        assert "\n" not in str(error)


def test_it_says_which_of_a_bundles_files_it_runs(board: Board) -> None:
    assert board.build().variant == ("edgetpu" if board.name == "edgetpu" else "")
    if "variant" in board.module.Options.model_fields:
        assert board.build(variant="vela").variant == "vela"


def test_what_cannot_be_reset_says_so(board: Board) -> None:
    assert board.build().reset() is False
