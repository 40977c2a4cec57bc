"""Which output a decoder gets at which place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from agent.errors import ModelInvalid
from agent.pipeline.naming import find, listed
from agent.pipeline.roles import OrderedDecoder, chosen, order
from agent.types import FrameInfo, Result, TensorSpec

ROLES = ("boxes", "scores", "count")


def specs(*names: str, called: tuple[str, ...] = ("", "", "")) -> list[TensorSpec]:
    return [TensorSpec(name, "float32", (1, 3), called=one) for name, one in zip(names, called, strict=True)]


PLAIN = specs("a", "b", "c")


def test_what_the_manifest_says_counts_before_all_names() -> None:
    outputs = specs("boxes", "scores", "count", called=("count", "boxes", "scores"))
    told = {"scores": "0", "boxes": "scores"}
    found = order(outputs, task="t", roles=ROLES, told=told)
    assert found == {2: "boxes", 0: "scores"}
    assert list(found) == [2, 0]
    assert [one.called for one in chosen(outputs, found)] == ["boxes", "scores"]


def test_names_of_the_signature_count_before_those_of_the_graph() -> None:
    outputs = specs("boxes", "scores", "count", called=("count", "boxes", "scores"))
    assert list(order(outputs, task="t", roles=ROLES)) == [1, 2, 0]
    assert list(order(specs("count", "boxes", "scores"), task="t", roles=ROLES)) == [1, 2, 0]


@pytest.mark.parametrize("roles", [(), ROLES, ("boxes",)])
def test_where_no_name_says_it_the_order_is_the_models_and_state_is_left_out(roles: tuple[str, ...]) -> None:
    assert order(PLAIN, task="t", roles=roles, hidden={1}) == {0: "", 2: ""}
    assert chosen(PLAIN, {0: "", 2: ""}) == (PLAIN[0], PLAIN[2])


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"boxes": "d"}, r"boxes is expected at d, which is none of its outputs: a float32\[1, 3\], b"),
        ({"boxes": "3"}, "none of its outputs"),
        ({"boxes": "a", "scores": "0"}, "scores is expected at 0, which is another role's already"),
        ({"faces": "a"}, "names a faces, and its outputs are boxes, scores, count"),
    ],
)
def test_a_role_that_cannot_be_found_is_told_with_what_there_is(told: dict[str, str], said: str) -> None:
    with pytest.raises(ModelInvalid, match=said):
        order(PLAIN, task="t", roles=ROLES, told=told)


def test_the_decoder_gets_its_own_outputs_in_its_own_order() -> None:
    class Says:
        def decode(self, outputs: Any, frame: FrameInfo, inputs: Any = ()) -> Result:
            return Result("x", tuple({"value": float(one[0])} for one in outputs))

    outputs = [np.array([float(at)]) for at in range(3)]
    found = OrderedDecoder(Says(), [2, 0]).decode(outputs, FrameInfo(0, 0, 1, 1))
    assert found.items == ({"value": 2.0}, {"value": 0.0})


def test_a_name_that_two_tensors_have_names_none() -> None:
    assert find("a", specs("a", "a", "b")) is None
    assert find("²", PLAIN) is None
    assert find("99999999999999999999", PLAIN) is None


def test_names_are_shown_on_one_line_and_not_without_end() -> None:
    shown = listed([TensorSpec("a\nb" * 100, "int8", (1,))] * 9)
    assert "\n" not in shown
    assert shown.endswith("and 1 more")
    assert len(shown) < 700
