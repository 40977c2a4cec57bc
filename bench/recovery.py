"""An accelerator fails while it serves a camera: how long its pipeline is blind, and what that costs.

    python -m bench.recovery [--rounds N] [--quick] [--json]

The accelerator is the stand-in of the tests, an external delegate that fails on demand; runtime, processes
and models are real. Two pipelines run at 30 frames/s: one on the accelerator, one on the CPU beside it. In
each round each fault happens once, in another order. *blind* runs from the moment of the fault until the
first correct result of a frame that was captured after it; *back* from the fault's end until the
accelerator serves again. Garbage is noticed by a look at the golden answers, which is taken every second
here: its *noticed* is set against that second and the limit together. No frame may be lost in either
pipeline, nor be answered wrongly but for the garbage.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.figures import Figure, machine, report
from tests.simulators.glyph_camera import Scene
from tests.simulators.live_accelerators import Line

FAULTS = ("hang", "hang_gil", "crash", "refuse_invoke", "vanish", "slow", "garbage")
_LIMIT_S = 2.0
_RECHECK_S = 1.0
_SLOW_MS = 1500
_FPS = 30
_LEARNED = 60
"""Inferences on the accelerator before its fault: its deadline is learned by then."""


@dataclass(frozen=True, slots=True)
class Fall:
    """One fault.

    Attributes:
        blind_s: from the fault to the first correct result of a frame that came after it; for garbage until
            it was noticed.
        back_s: from the fault's end to the first result of the accelerator.
        lost: frames that were lost or failed in either pipeline, or dropped in the one beside.
        wrong: results that were not what their frame shows.
    """

    fault: str
    blind_s: float
    back_s: float
    lost: int
    wrong: int


def fall(scene: Scene, fault: str, more: int) -> Fall:
    """Have it fail once, after ``more`` inferences than its deadline takes to be learned."""
    recheck_s = _RECHECK_S if fault == "garbage" else 0.0
    with Line(
        [scene.accelerator(recheck_s=recheck_s)], scene.spec("door"), scene.spec("yard", "cpu")
    ) as line:
        owner = line.all.owners["liar"]
        line.until_on("door", "liar", _LEARNED + more)
        scene.liar.set(fault, _SLOW_MS if fault == "slow" else 0)
        began_ns = time.monotonic_ns()
        line.until(lambda: bool(owner.incidents))
        noticed_ns = time.monotonic_ns()
        scene.liar.heal()
        healed_ns = time.monotonic_ns()
        line.until_on("door", "liar", 5)
        back_ns = line.work["door"][-5].came_ns
    after = [one for one in line.work["door"] if one.record.captured_ns > began_ns]
    right_ns = next(one for one in after if scene.right(one)).came_ns
    lanes = line.lanes.values()
    return Fall(
        fault=fault,
        blind_s=((noticed_ns if fault == "garbage" else right_ns) - began_ns) / 1e9,
        back_s=(back_ns - healed_ns) / 1e9,
        lost=sum(lane.ledger.lost + sum(lane.ledger.failed.values()) for lane in lanes)
        + sum(line.lanes["yard"].ledger.dropped.values()),
        wrong=sum(not scene.right(one) for works in line.work.values() for one in works),
    )


def table(falls: list[Fall]) -> None:
    """Print what people paste."""
    print(f"machine: {machine()}")
    print(
        f"{'fault':<14} {'blind s, median [max]':<24} {'back s, median [max]':<24} {'lost':>5} {'wrong':>6}"
    )
    for fault in FAULTS:
        of = [one for one in falls if one.fault == fault]
        blind, back = sorted(one.blind_s for one in of), sorted(one.back_s for one in of)
        cells = [f"{values[len(values) // 2]:.3f} [{values[-1]:.3f}]" for values in (blind, back)]
        lost, wrong = sum(one.lost for one in of), sum(one.wrong for one in of)
        print(f"{fault:<14} {cells[0]:<24} {cells[1]:<24} {lost:>5} {wrong:>6}")


def figures(falls: list[Fall]) -> list[Figure]:
    """Set each fault against its limit, and what was lost against none."""
    found = []
    for fault in FAULTS:
        of = [one for one in falls if one.fault == fault]
        limit = _LIMIT_S + (_RECHECK_S if fault == "garbage" else 0.0)
        name = f"{fault}: {'noticed' if fault == 'garbage' else 'blind'}, against its limit"
        blind = tuple(one.blind_s for one in of)
        found.append(Figure(name, "s", blind, (limit,) * len(of), 1.0, "less"))
    return found


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="1 round: a look, no proof")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    falls = []
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(Path(folder))
        for number in range(1 if given.quick else given.rounds):
            chance = random.Random(number)
            for fault in chance.sample(FAULTS, len(FAULTS)):
                falls.append(fall(scene, fault, chance.randrange(_FPS)))  # at any moment between two looks
                sys.stderr.write(json.dumps(asdict(falls[-1])) + "\n")
    if not given.json:
        table(falls)
    code = report(figures(falls), as_json=given.json)
    harmed = [one for one in falls if one.lost or (one.wrong and one.fault != "garbage")]
    for one in harmed:
        print(f"MISSED: {one}", file=sys.stderr)
    return 1 if harmed else code


if __name__ == "__main__":
    sys.exit(main())
