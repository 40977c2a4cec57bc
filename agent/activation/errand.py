"""What an updater is to do, as of now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.updater.messages import Ask, Held, UpdaterSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agent.activation.course import Course
    from agent.activation.site import Site


def asked(courses: Iterable[Course]) -> tuple[Ask, ...]:
    """Give the bundles that are wanted and not here, each once."""
    wanted = {(goal.name, goal.version) for course in courses if (goal := course.asks)}
    return tuple(Ask(name=name, version=version) for name, version in sorted(wanted))


def errand(site: Site, courses: Iterable[Course], floors: Mapping[str, int], policy: str) -> UpdaterSpec:
    """Describe an updater's work.

    Args:
        site: from where, and whom to trust.
        courses: what is wanted, and what must stay.
        floors: the lowest versions that are taken, by name; those of others are left out.
        policy: the one in force, "" for none.
    """
    known = list(courses)
    rows = [row for course in known for row in course.held.rows]
    return UpdaterSpec(
        fleet=site.fleet,
        device=site.device,
        broker=site.link,
        mirror=site.table.mirror,
        folder=str(site.folder),
        root=site.root,
        floors={name: n for name, n in floors.items() if name == "clock" or name.startswith("tuf/")},
        ask=asked(known),
        serving=tuple(
            Held(name=row.name, version=row.version, digest=row.bundle)
            for course in known
            if (row := course.held.active)
        ),
        keep=tuple(sorted({row.bundle for row in rows if row.bundle})),
        policy=policy,
        max_bytes=site.table.max_bytes,
        window=site.table.window,
    )
