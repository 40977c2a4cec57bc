"""Who may ask what time it is: a clock that steps by years must not drive a timer, an order or an expiry."""

from __future__ import annotations

import re
from pathlib import Path

import agent

PACKAGE = Path(agent.__file__).parent
ASKS = re.compile(
    r"\btime\.time(?:_ns)?\(|\bwall_ns\(\)|\bdatetime\.(?:now|utcnow|today)\(|\btime\.(?:localtime|gmtime)\(\)"
)

# Each dates what it writes or shows, or reads a time that a person gave; none waits for it.
MAY_ASK = {
    "clock.py": "the seam itself",
    "store/builder.py": "dates records",
    "cli/terminal/since.py": "reads '2h' of a person",
    "supervision/footage.py": "dates snapshots and clips",
    "store/rebuild.py": "dates the note of a rebuilt state",
    "store/thread.py": "dates notes",
    "activation/reporting.py": "dates what is reported",
    "activation/offline.py": "dates the note of a roll back",
    "cli/examining/models_check.py": "tells a person whether metadata has expired; nothing is decided by it",
    "supervision/tunings.py": "dates a choice of the tuner",
    "cli/recording/reference.py": "dates the results of a recording",
    "taking/frames.py": "dates a recording",
    "sources/pictures/watching.py": "compares it with the dates of files, which are of no other clock",
    "fleet/deploying/deploy.py": "dates a desired state",
    "fleet/collecting/storage.py": "dates what a device was last seen",
    "fleet/collecting/gaps_report.py": "reads '2h' of a person",
    "supervision/vitals.py": "dates vitals, and tells how old the oldest record is",
    "maintenance.py": "a window is times of the day; a clock that was never set keeps it shut",
    "dispatch/rules.py": "commands expire by the wall clock, or by the floor where that is later (ADR 24)",
    "dispatch/gate.py": "dates a command",
    "dispatch/local.py": "dates a command of this machine",
    "dispatch/outcomes.py": "dates an outcome",
    "dispatch/parts.py": "compares it with the dates of files, which are of no other clock",
    "errands/logs.py": "dates lines of the log",
    "uplink/credentials.py": "certificates begin and end by the wall clock",
    "cli/check.py": "tells a person until when a certificate lasts",
    "cli/diagnose.py": "dates the members of an archive",
    "cli/reporting/components.py": "dates a list of what is installed",
    "cli/reporting/parts.py": "dates a report, and tells a person which certificates end soon",
    "fleet/commanding/commander.py": "dates a command",
    "fleet/identity/certificates.py": "certificates begin and end by the wall clock",
    "fleet/identity/expiry.py": "tells a person which certificates end soon",
    "fleet/identity/renewal.py": "chooses certificates that end soon",
    "fleet/looking/live.py": "shows how old a device's word is",
    "fleet/verbs/models.py": "shows how old a report is",
    "fleet/verbs/status.py": "shows how old a device's word is",
    "fleet/rollouts/work.py": "dates what a person has asked for",
    "fleet/simulating/clock.py": "a simulated device's wrong clock is the machine's, off by some days",
    "fleet/simulating/outbox.py": "dates records",
}


def test_the_wall_clock_is_asked_only_to_date_what_people_read() -> None:
    asking = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if ASKS.search(path.read_text())
    }
    assert asking == {*MAY_ASK}
