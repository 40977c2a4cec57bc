"""Gives a decoder a model's outputs in the order of their roles, whatever the model's own order is.

A manifest's ``post.outputs`` says which output has which role; else the names say it, those of the signature
before those of the graph, where each role of the decoder is the name of an output. Where neither does, the
decoder gets what the model gives, in the model's order, and tells it by the shapes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from agent.errors import ModelInvalid
from agent.pipeline.naming import find, listed

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from agent.types import Array, Decoder, FrameInfo, Result, TensorSpec


def order(
    outputs: Sequence[TensorSpec],
    *,
    task: str,
    roles: Sequence[str] = (),
    told: Mapping[str, str] | None = None,
    hidden: Collection[int] = (),
) -> dict[int, str]:
    """Say which outputs the decoder gets, in this order: the position of each, and its role, "" for none.

    Args:
        outputs: all of the model's.
        task: the decoder's name.
        roles: those that the decoder knows, in its order; none where it tells outputs by their shapes only.
        told: what the manifest calls the output of a role.
        hidden: positions of outputs that are state, which no decoder gets unless ``told`` names them.

    Raises:
        ModelInvalid: ``told`` names what is no output or no role, or one output twice.
    """
    if told:
        return _told(outputs, task, roles, told)
    seen = [at for at in range(len(outputs)) if at not in hidden]
    for names in ([outputs[at].called for at in seen], [outputs[at].name for at in seen]):
        if roles and sorted(names) == sorted(roles):
            return {seen[names.index(role)]: role for role in roles}
    return dict.fromkeys(seen, "")


def _told(
    outputs: Sequence[TensorSpec], task: str, roles: Sequence[str], told: Mapping[str, str]
) -> dict[int, str]:
    found: dict[str, int] = {}
    for role, called in told.items():
        if roles and role not in roles:
            problem = f"post.outputs names a {role[:60]}, and its outputs are {', '.join(roles)}"
            raise ModelInvalid("decode as", task, problem, "Name one of these roles")
        at = find(called, outputs)
        if at is None or at in found.values():
            what = "is another role's already" if at is not None else "is none of its outputs"
            problem = f"{role} is expected at {called[:60]}, which {what}: {listed(outputs)}"
            raise ModelInvalid("decode as", task, problem, "Name outputs in post.outputs as the model does")
        found[role] = at
    known = [role for role in roles if role in found] or sorted(found, key=found.__getitem__)
    return {found[role]: role for role in known}


def chosen(outputs: Sequence[TensorSpec], order: Mapping[int, str]) -> tuple[TensorSpec, ...]:
    """Give the decoder's outputs; one that has a role is called by it."""
    return tuple(replace(outputs[at], called=role) if role else outputs[at] for at, role in order.items())


class OrderedDecoder:
    """Decodes with another decoder, which gets the outputs that are its own.

    Args:
        decoder: was built for these outputs.
        positions: of its outputs among the model's, in its order.
    """

    def __init__(self, decoder: Decoder, positions: Sequence[int]) -> None:
        self._decoder, self._positions = decoder, tuple(positions)

    def decode(self, outputs: Sequence[Array], frame: FrameInfo, inputs: Sequence[Array] = ()) -> Result:
        """Read one frame's outputs, all of the model's.

        Raises:
            InputRejected: as the decoder does.
        """
        return self._decoder.decode([outputs[at] for at in self._positions], frame, inputs)
