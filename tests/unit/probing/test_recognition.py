"""A profile's file of one's own, as it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.errors import ConfigInvalid
from agent.probing.recognition import read

if TYPE_CHECKING:
    from pathlib import Path

HEAD = 'name = "x"\ndescription = ""\ntested = true\n'


def test_a_file_that_is_too_large_is_refused_and_not_cut_where_its_characters_are_fewer(
    tmp_path: Path,
) -> None:
    path = tmp_path / "p.toml"
    path.write_text(HEAD + "# " + "\u00e4" * 32730)
    assert read(path).name == "x"
    path.write_text(HEAD + "# " + "\u00e4" * 40_000 + "\nthis is no TOML")
    with pytest.raises(ConfigInvalid, match="larger than 64 KB"):
        read(path)
