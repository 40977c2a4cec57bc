"""Results of a recording that nobody vouches for."""

from __future__ import annotations

import pytest

from agent.errors import InputRejected
from agent.recordings import documents
from agent.recordings.members import member
from tests.unit.recordings.test_recordings import RESULTS, judged, outcome, read, recorded


def test_results_of_frames_that_are_not_there_are_refused() -> None:
    for told in ([outcome(2)], [outcome(0)] * 3):
        with pytest.raises(InputRejected, match="is one too many: it has 2 frames"):
            list(read(judged(recorded([b"a", b"b"]), told))[1].outcomes())


def test_a_model_that_no_path_can_name_is_refused() -> None:
    about = member(documents.RESULTS, documents.write(RESULTS).replace(b'"glyphs"', b'"\\u0000"'))
    with pytest.raises(InputRejected, match="path: String should match"):
        read(recorded([], ends=False) + about)
