"""Model files that nobody vouched for: none of their bytes reaches a parser."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from agent.backends import tflite
from agent.bundles.load import load
from agent.errors import ManifestInvalid, Rejected
from agent.manifest import digest
from agent.tflite import outline
from tests.simulators import tiny_models
from tests.simulators.moody_bundles import bundle

if TYPE_CHECKING:
    from pathlib import Path

MUTATIONS = int(os.environ.get("EDGE_AGENT_TESTS_MUTATIONS", "1000"))


def mutated(good: bytes, rng: random.Random) -> bytes:
    """Change a file in one of the ways in which files go wrong, or are made to."""
    data = bytearray(good)
    match rng.randrange(5):
        case 0:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        case 1:
            del data[rng.randrange(len(data)) :]
        case 2:
            data += rng.randbytes(rng.randrange(1, 64))
        case 3:
            at = rng.randrange(len(data))
            data[at : at + 4] = rng.randbytes(4)
        case _:
            at = rng.randrange(len(data) - 8)
            data[at : at + 4], data[at + 4 : at + 8] = data[at + 4 : at + 8], data[at : at + 4]
    return bytes(data)


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What the two parsers of models are given: our outline's, and the runtime."""
    seen: list[bytes] = []
    check, build = outline.check_outline, tflite.build

    def outlined(data: bytes) -> None:
        seen.append(data)
        check(data)

    def built(options: tflite.Options, model: bytes, name: str = "model") -> tflite.TfliteBackend:
        seen.append(model)
        return build(options, model, name)

    monkeypatch.setattr(outline, "check_outline", outlined)
    monkeypatch.setattr(tflite, "build", built)
    return seen


def test_no_byte_of_a_mutated_model_reaches_a_parser(tmp_path: Path, parsed: list[bytes]) -> None:
    path, named = bundle(tmp_path, "m", None, value=1)
    file = tmp_path / named / "m.tflite"
    good = file.read_bytes()
    rng = random.Random(5)
    count = 0
    while count < MUTATIONS:
        if (bad := mutated(good, rng)) == good:
            continue
        file.write_bytes(bad)
        with pytest.raises(Rejected, match=r"the manifest says|the file is empty"):
            load(path, named)
        count += 1
    assert parsed == []
    file.write_bytes(good)
    assert load(path, named).data == good
    assert parsed == [good]  # the probe sees what is parsed


def test_a_manifest_that_was_made_to_fit_is_refused_by_its_digest_unread(
    tmp_path: Path, parsed: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, named = bundle(tmp_path, "m", None, value=1)
    other, _ = bundle(tmp_path / "other", "m", None, value=2)
    for name in ("m.tflite", "manifest.json"):
        (tmp_path / named / name).write_bytes(
            (tmp_path / "other" / other.rpartition("/")[2] / name).read_bytes()
        )
    assert digest((tmp_path / named / "manifest.json").read_bytes()) != named
    monkeypatch.setattr("agent.manifest.parse", None)  # calling it would fail otherwise
    with pytest.raises(ManifestInvalid, match="was vouched for"):
        load(path, named)
    assert parsed == []


def test_the_probe_sees_a_runtime_that_is_given_a_model(parsed: list[bytes]) -> None:
    model = tiny_models.absolute()
    tflite.build(tflite.Options(), model)
    assert parsed == [model, model]
