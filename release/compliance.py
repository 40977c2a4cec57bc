"""The pages of docs/compliance, made from the tables of ``agent/compliance``."""

from __future__ import annotations

import sys
from itertools import groupby
from typing import TYPE_CHECKING, get_args

from agent.compliance.table import Verdict, standards
from release.source import HERE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.compliance.table import Provision, Standard

PAGES = HERE / "docs" / "compliance"
_UP = "../.."
_NOTE = "<!-- Made from agent/compliance/{id}.toml by: make pages -->"
_INDEX = """\
# Compliance

How Edge Agent stands to four standards of security for devices, provision by provision: what does it, which
test shows it, and what is missing.

**This is no statement of conformity.** Nobody outside the project has examined it, no certificate exists,
and a standard for devices is met by a device: the agent is one part of it, beside the board, its boot
chain, the system and whoever runs it. Take the tables as input for an examination of your own.

A verdict is about the agent as it comes, with keys (`[trust]`) and TLS set up as
[operations.md](../operations.md) says. `edge-agent report` tells how one device differs from that, and has
these tables as JSON.

- **met**: all of it; a test or a document shows it.
- **partly**, **not met**: the last column says what is missing.
- **not applicable**: there is nothing of the kind in the agent.
- **integrator**: who builds the device has to do it (boot, case, network, privacy notice).
- **operator**: who runs the fleet has to do it.

What a provision asks is told here in a line of our own; read the standard for what it says. The threats
behind all this stand in [security.md](../security.md), how holes are handled in
[SECURITY.md](../../SECURITY.md).

"""
_AFTER = """
The tables are TOML files in `agent/compliance`; the pages are made from them, and tests hold that the pages
are up to date, that each provision stands there once, and that each test named exists and is not skipped
everywhere.
"""


def pages() -> dict[str, str]:
    """Give the text of each page, by the name of its file."""
    known = standards()
    return {"README.md": _index(known), **{f"{one.id}.md": _page(one) for one in known}}


def _index(known: tuple[Standard, ...]) -> str:
    verdicts = get_args(Verdict)
    lines = [f"| standard | {' | '.join(verdicts)} |", "|---" * (len(verdicts) + 1) + "|"]
    for one in known:
        counts = [sum(row.verdict == verdict for row in one.provisions) for verdict in verdicts]
        lines.append(f"| [{one.title}]({one.id}.md) | {' | '.join(map(str, counts))} |")
    return _INDEX + "\n".join(lines) + "\n" + _AFTER


def _page(standard: Standard) -> str:
    lines = [_NOTE.format(id=standard.id), "", f"# {standard.title}", "", standard.about.strip(), ""]
    for part, rows in groupby(standard.provisions, lambda row: row.part):
        lines += [
            f"## {part}",
            "",
            "| no. | asks for | verdict | how, and what shows it | missing |",
            "|---" * 5 + "|",
        ]
        lines += [_row(row) for row in rows]
        lines.append("")
    return "\n".join(lines)


def _row(row: Provision) -> str:
    cells = (row.id, row.asks, f"**{row.verdict}**", " ".join((row.how, *_shown(row))).strip(), row.lacks)
    return f"| {' | '.join(cells)} |"


def _shown(row: Provision) -> Iterator[str]:
    links = [f"[{page}]({_UP}/{page})" for page in row.pages]
    for test in row.tests:
        file, _, name = test.partition("::")
        links.append(f"[`{name}`]({_UP}/tests/{file})")
    if links:
        yield f"({', '.join(links)})"


def main() -> None:
    """Write all pages anew."""
    for name, text in pages().items():
        (PAGES / name).write_text(text, encoding="utf-8")
    print(f"wrote {PAGES.relative_to(HERE)}", file=sys.stderr)


if __name__ == "__main__":
    main()
