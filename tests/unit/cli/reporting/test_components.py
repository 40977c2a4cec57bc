"""What is installed beside the agent, as a list and as a bill of materials."""

from __future__ import annotations

import hashlib
import re
from importlib import metadata
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from agent.cli import main as cli
from agent.cli.reporting.components import components, cyclonedx

if TYPE_CHECKING:
    from pathlib import Path


def installed(folder: Path, name: str, about: str, record: str | None) -> None:
    made = folder / f"{name}-1.2.dist-info"
    made.mkdir()
    (made / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n{about}\n")
    if record is not None:
        (made / "RECORD").write_text(record)


def listed(name: str) -> dict[str, Any]:
    [found] = [one for one in components() if one["name"] == name]
    return found


def test_each_distribution_is_listed_once_by_name_with_the_hash_of_its_record() -> None:
    names = [one["name"] for one in components()]
    assert names == sorted(set(names))
    record = metadata.distribution("numpy").read_text("RECORD")
    assert record
    numpy = listed("numpy")
    assert numpy["record_sha256"] == hashlib.sha256(record.encode()).hexdigest()
    assert numpy["purl"] == f"pkg:pypi/numpy@{numpy['version']}"


def test_of_two_with_one_name_the_first_on_the_path_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(tmp_path, "numpy", "", None)
    monkeypatch.syspath_prepend(tmp_path)
    assert listed("numpy")["version"] == "1.2"


def test_one_whose_files_are_not_recorded_is_listed_without_a_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(tmp_path, "Odd_Name", "License: MIT License", None)
    monkeypatch.syspath_prepend(tmp_path)
    found = listed("odd-name")
    assert (found["license"], found["record_sha256"]) == ("MIT", None)


def test_the_list_of_components_is_cyclonedx(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["report", "--sbom"]) == 0
    bom = orjson.loads(capsys.readouterr().out)
    assert (bom["bomFormat"], bom["specVersion"], bom["version"]) == ("CycloneDX", "1.6", 1)
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", bom["serialNumber"])
    whole = bom["metadata"]["component"]
    assert whole["name"] == "edge-inference-agent"
    references = [whole["bom-ref"], *(one["bom-ref"] for one in bom["components"])]
    assert len(references) == len(set(references))
    assert {"python", "numpy", "pydantic"} <= {one["name"] for one in bom["components"]}
    assert all(one["version"] for one in bom["components"])


def test_the_agent_itself_is_the_whole_and_no_part() -> None:
    part = {"version": "1", "license": "", "purl": "pkg:pypi/a@1", "record_sha256": None}
    bom = cyclonedx([{"name": "edge-inference-agent"} | part, {"name": "a"} | part])
    assert [one["name"] for one in bom["components"]] == ["python", "a"]
    assert "licenses" not in bom["components"][1]


@pytest.mark.parametrize("damaged", ["METADATA", "RECORD"])
def test_a_damaged_distribution_is_named_and_costs_no_traceback(
    damaged: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installed(tmp_path, "odd", "", "")
    (tmp_path / "odd-1.2.dist-info" / damaged).write_bytes(b"Name: o\xffdd\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert cli.run(["report", "--sbom"]) == 1
    assert f"list packages in {tmp_path}" in capsys.readouterr().err


def test_one_that_says_no_version_has_none_in_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(tmp_path, "odd", "", None)
    (tmp_path / "odd-1.2.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert (listed("odd")["version"], listed("odd")["purl"]) == ("", "pkg:pypi/odd")
