"""What single vendors' delegates do beyond the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.delegates import ethosu, gpu, vx
from agent.errors import DelegateLost
from tests.simulators import lying_delegate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@pytest.fixture(autouse=True)
def usual_folders_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)


def install(root: Path, name: str, content: bytes | None = None) -> None:
    (root / "usr/lib").mkdir(parents=True, exist_ok=True)
    (root / "usr/lib" / name).write_bytes(content or lying_delegate.library().read_bytes())


def test_a_compiled_graph_for_vx_is_passed_on_and_may_be_read(tmp_path: Path) -> None:
    install(tmp_path, "libvx_delegate.so")
    passed: list[dict[str, str]] = []

    def load(path: str, options: Mapping[str, str]) -> object:
        passed.append(dict(options))
        return object()

    for options in (vx.Options(), vx.Options(cache="/srv/model.nb")):
        delegate = vx.build(options, tmp_path)
        delegate.open(load)
        assert ("/srv/model.nb" in delegate.needs().read) is bool(options.cache)
    assert passed == [{}, {"allowed_cache_mode": "true", "cache_file_path": "/srv/model.nb"}]


def test_another_npu_of_a_board_is_the_node_that_is_looked_for_and_passed_on(tmp_path: Path) -> None:
    install(tmp_path, "libethosu_delegate.so")
    delegate = ethosu.build(ethosu.Options(device="/dev/ethosu1"), tmp_path)
    assert delegate.probe().why == "/dev/ethosu1 is not there"
    assert delegate.needs().devices == ("/dev/ethosu1",)


def test_a_damaged_library_is_passed_over_for_another_of_a_good_name(tmp_path: Path) -> None:
    whole = lying_delegate.library().read_bytes()
    install(tmp_path, "libgpu_external_delegate.so", whole[:9000])
    delegate = gpu.build(gpu.Options(), tmp_path)
    with pytest.raises(DelegateLost, match="is cut short") as caught:
        delegate.open(lambda path, options: object())
    assert caught.value.hint == "Install it again"
    install(tmp_path, "gpu_external_delegate.so")
    assert delegate.probe().library.endswith("/gpu_external_delegate.so")
