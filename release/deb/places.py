"""Where a package puts the files of ``systemd/``: by name, so that a new unit needs no line here."""

from __future__ import annotations

from fnmatch import fnmatchcase

UNITS = "usr/lib/systemd/system"
_PLACES = (
    ("edge-agent.sysusers.conf", "usr/lib/sysusers.d/edge-agent.conf"),
    ("edge-agent.tmpfiles.conf", "usr/lib/tmpfiles.d/edge-agent.conf"),
    ("edge-agent.catalog", "usr/lib/systemd/catalog/{name}"),  # systemd's own trigger reads it in
    # Releases of this machine are packages, so the helper may do what apt does.
    ("edge-agent-host-apt.conf", f"{UNITS}/edge-agent-host.service.d/{{name}}"),
    ("edge-agent*.conf", None),  # `edge-agent install` has those for hardware from the wheel
    ("*.rules", "usr/lib/udev/rules.d/{name}"),
    ("edge-agent*.*", f"{UNITS}/{{name}}"),
)
"""The first pattern that fits counts. What fits none, as what is of ``edgectl``, has no place on devices."""


def place(name: str) -> str | None:
    """Say where a file goes, from the root; None when it has no place of its own."""
    fits = (where for pattern, where in _PLACES if fnmatchcase(name, pattern))
    found = next(fits, None)
    return found and found.format(name=name)
