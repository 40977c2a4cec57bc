"""A lane that is run to its end by a verb, without a supervisor."""

from __future__ import annotations

from agent.config.tables import Deadlines
from agent.foreground import Foreground
from agent.workers.spec import LaneSpec
from tests import runtimes


def test_what_stages_took_is_not_kept_for_as_long_as_a_recording_lasts() -> None:
    source = {"frames": 20, "fps": 0}
    spec = LaneSpec(
        pipeline="door",
        model="glyphs",
        backend_options={"runtime": runtimes.CHOSEN},
        source="synthetic",
        source_options=source,
        once=True,
    )
    lane = Foreground(spec, Deadlines())
    runs = [lane._lane.run for _ in lane.run()]
    assert runs
    assert all(run is not None and run.timings == [] for run in runs)
