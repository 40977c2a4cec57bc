"""Reading the configuration file: whatever is given as one costs a line, and no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.cli.device.settings import Loaded
from agent.errors import ConfigInvalid

TEXT = '[[pipelines]]\nname = "door"\nmodel = "glyphs"\nsource = { kind = "synthetic" }\n'


def test_a_file_whose_name_is_no_utf_8_is_refused_for_workers_could_not_be_told_of_it(tmp_path: Path) -> None:
    path = tmp_path / "agent\udcff.toml"
    path.write_text(TEXT)
    with pytest.raises(ConfigInvalid, match="its name is no UTF-8 text"):
        Loaded(path)


def test_a_file_without_end_is_read_no_further_than_a_configuration_is_long() -> None:
    with pytest.raises(ConfigInvalid, match="larger than 1 MB"):
        Loaded(Path("/dev/zero"))


def test_a_file_of_another_system_is_read_as_one_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    assert Loaded(path).text == TEXT
