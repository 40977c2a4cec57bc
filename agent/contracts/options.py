"""What every plugin keeps to, whatever it does: its module's parts, and how its options are checked."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from pydantic import BaseModel

from agent.contracts.checks import Breach, Check

if TYPE_CHECKING:
    from agent.contracts.checks import Subject


def _loads(subject: Subject) -> None:
    module = subject.module
    if not (inspect.isclass(module.Options) and issubclass(module.Options, BaseModel)):
        raise Breach("Options is no model of pydantic's")
    if not callable(module.build):
        raise Breach("build is no function")


def _strict(subject: Subject) -> None:
    config = subject.module.Options.model_config
    if config.get("extra") != "forbid":
        raise Breach('Options take a key that they do not know: give their model_config extra="forbid"')
    if not config.get("frozen"):
        raise Breach("Options can be changed: give their model_config frozen=True")


def _described(subject: Subject) -> None:
    fields = subject.module.Options.model_fields
    bare = [name for name, field in fields.items() if not field.description]
    if bare:
        raise Breach(f"without a description: {', '.join(bare)}")


COMMON = (
    Check("loads", "The module is found and imports, and has Options and build.", _loads),
    Check("options", "Options refuse keys that they do not know, and cannot be changed.", _strict),
    Check("described", "Each option has a description.", _described),
)
