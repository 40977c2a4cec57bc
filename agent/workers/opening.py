"""Opens a source by its kind, as a process that has confined itself does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent import plugins
from agent.errors import ConfigInvalid, InputRejected, LaneCrashed, SourceLost
from agent.validation import options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.types import Source


def opener(kind: str, given: Mapping[str, Any], stranger: Callable[[], str]) -> Callable[[int], Source]:
    """Give what opens a source so that its first frame has a given number.

    Args:
        kind: which plugin.
        given: its options.
        stranger: names a device that is there now and was not when this process confined itself, or gives "".

    Raises:
        ConfigInvalid: there is no such plugin, or an option is wrong.
    """
    module = plugins.load("sources", kind, "source", "kind")
    checked = options(module.Options, given, "source")

    def open_source(start: int) -> Source:
        try:
            source: Source = module.build(checked, start=start)
        except InputRejected as error:
            raise ConfigInvalid(error.op, error.subject, error.problem, error.hint) from error
        except SourceLost as error:
            if path := stranger():  # its node is another one by now, which this process may not open
                problem = "it was plugged in after this process had confined itself"
                raise LaneCrashed(error.op, path, problem, "A new one opens it") from error
            raise
        return source

    return open_source
