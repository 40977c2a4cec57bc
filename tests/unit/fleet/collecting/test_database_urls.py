"""Which database a URL names."""

from __future__ import annotations

import pytest

from agent.errors import ConfigInvalid
from agent.fleet.collecting.databases import database_of


@pytest.mark.parametrize("to", ["fleet.db", "mysql://db/fleet", "sqlite:///", "sqlite://fleet.db", ""])
def test_a_database_that_cannot_be_is_a_configuration_error(to: str) -> None:
    with pytest.raises(ConfigInvalid, match="Use sqlite:///FILE or postgresql"):
        database_of(to)


def test_database_urls_are_relative_or_absolute() -> None:
    assert str(database_of("sqlite:///fleet.db")) == "fleet.db"
    assert str(database_of("sqlite:////var/lib/fleet.db")) == "/var/lib/fleet.db"
