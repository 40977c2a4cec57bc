"""Programs are run for a limited time, and heard within bounds: who wrote them may be hostile."""

from __future__ import annotations

import sys
import tracemalloc

import pytest

from agent.errors import Rejected
from agent.host.programs import run


def _python(code: str) -> list[str]:
    return [sys.executable, "-I", "-c", code]


def test_what_prints_without_end_costs_no_memory_and_its_beginning_is_given() -> None:
    tracemalloc.start()
    try:
        said = run(_python("print('first'); [print('x' * 65536) for _ in range(500)]"))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert said.startswith("first\n")
    assert len(said) == 65536
    assert most < 4 << 20


def test_the_last_line_of_what_fails_is_told() -> None:
    code = "import sys; [print('x' * 65536, file=sys.stderr) for _ in range(9)]; sys.exit('it does not work')"
    with pytest.raises(Rejected, match=r"it does not work$"):
        run(_python(code))


def test_what_was_left_running_with_the_pipe_is_not_waited_for() -> None:
    code = "import subprocess; print('done', flush=True); subprocess.Popen(['sleep', '5'])"
    assert run(_python(code), 4) == "done\n"


@pytest.mark.parametrize("code", ["import time; time.sleep(60)", "while True: print('x' * 4096)"])
def test_what_takes_too_long_is_killed_whether_it_speaks_or_not(code: str) -> None:
    with pytest.raises(Rejected, match="it took more than 0 s"):
        run(_python(code), 0.3)
