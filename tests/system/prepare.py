"""Build what the tests of the services need, ahead of them: python -m tests.system.prepare.

They build it themselves where it is not there; `make test-packages` has it made first.
"""

from __future__ import annotations

from tests.system import building, debs


def main() -> None:
    """Build the file systems that are booted, and the packages that are installed there."""
    building.container()
    building.clean()
    debs.new()
    debs.old()


if __name__ == "__main__":
    main()
