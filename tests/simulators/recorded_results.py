"""Results as a recording holds them, and what made them."""

from __future__ import annotations

from agent.recordings.documents import Reference, Results

REFERENCE = Reference(runtime="r 1", delegate="xnnpack", machine="aarch64", cpu="one", opencv="5")
RESULTS = Results(
    made="2026-11-26T12:00:00+00:00",
    model="glyphs@1",
    path="glyphs",
    sha256="a" * 64,
    task="classification",
    tolerance=0.1,
    reference=REFERENCE,
)
