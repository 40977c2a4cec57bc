"""Opens a source by its kind, as a process that has confined itself does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent import plugins
from agent.errors import ConfigInvalid, InputRejected, LaneCrashed, SourceLost
from agent.validation import options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from types import ModuleType

    from agent.types import Needs, Source


def opener(
    kind: str, given: Mapping[str, Any], stranger: Callable[[Iterable[str]], str]
) -> Callable[[int], Source]:
    """Give what opens a source so that its first frame has a given number.

    Args:
        kind: which plugin.
        given: its options.
        stranger: names a device that is there now and was not when this process confined itself, or gives "";
            it is told what the source would open now.

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
            if path := stranger(_wanted(module, checked)):  # it is another by now, and closed to this process
                came = "plugged in" if path.startswith("/dev/") else "put there"
                problem = f"it was {came} after this process had confined itself"
                raise LaneCrashed(error.op, path, problem, "A new one opens it") from error
            raise
        return source

    return open_source


def _wanted(module: ModuleType, given: object) -> Iterator[str]:
    """Give what the source and its programs would open by now."""
    if hasattr(module, "needs"):
        needs: Needs = module.needs(given)
        yield from (*needs.devices, *needs.read)
        for command in needs.programs:
            yield from command.needs.devices
