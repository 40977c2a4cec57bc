"""Fills what a recipe leaves out with what is packed in the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from agent.errors import ConfigInvalid
from agent.manifest import Pre
from agent.tflite import metadata

if TYPE_CHECKING:
    from pathlib import Path

    from agent.bundles.load import LoadedModel
    from agent.fleet.packing.recipe import Recipe

_OP = "pack"
_NEEDED = ("name", "version", "license")


def filled(told: Recipe, model: LoadedModel, subject: Path) -> Recipe:
    """Give the recipe with its gaps filled.

    ``name``, ``version``, ``license`` and ``pre`` may come from the TFLite Metadata in the model; labels that
    are packed in it come with the model itself.

    Args:
        told: the recipe.
        model: the model.
        subject: the recipe's path, for errors.

    Raises:
        ConfigInvalid: the name, the version or the licence stands in neither.
    """
    said = model.said
    filled: dict[str, Any] = told.model_dump(exclude_none=True)
    for key in _NEEDED:
        if value := getattr(said, key):
            filled.setdefault(key, value)
    own = told.pre or Pre()
    if (pre := metadata.filled(own, model.data, said)) is not own:
        filled["pre"] = pre.model_dump(exclude_none=True)
    missing = [key for key in _NEEDED if key not in filled]
    if missing:
        hint = "Add it; docs/howto/ship-a-model.md explains each key"
        problem = "this key is missing, and the model does not say it either"
        raise ConfigInvalid(_OP, f"{subject}: {missing[0]}", problem, hint, loc=(missing[0],))
    try:
        return type(told).model_validate(filled, strict=False)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        key = str(first["loc"][0])
        hint = f"Set {key} in {subject}"
        raise ConfigInvalid(_OP, f"the model's own {key}", first["msg"], hint, loc=(key,)) from error
