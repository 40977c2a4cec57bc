"""What all delegates share that are libraries of a vendor: TFLite's interface for external delegates."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from agent.boards.delegation import Presence
from agent.delegates import _find, _reasons
from agent.types import Needs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = Path("/")

Option = str | bool | int | float


class Options(BaseModel):
    """What every such delegate can be told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    library: str = Field(
        default="",
        pattern=r"^(/[^\x00]*|[^/\x00]*)$",
        description="an absolute path, or a file name that is looked for; empty: the vendor's usual name",
    )
    options: dict[str, Option] = Field(
        default={},
        max_length=64,
        description="further options of the library itself, as its vendor names them",
    )
    read: tuple[str, ...] = Field(
        default=(), max_length=64, description="files and folders that the library reads besides itself"
    )
    devices: tuple[str, ...] = Field(
        default=(),
        max_length=64,
        description="its device nodes, or folders of them, in place of those that are known",
    )


@dataclass(frozen=True, slots=True)
class Traits:
    """What sets one kind of delegate apart.

    Attributes:
        kind: its name.
        libraries: its library's usual file names, best first.
        install: what to do when there is none, an imperative sentence without its full stop.
        devices: the device nodes that it may open, or folders of them.
        demanded: whether one of these must be there.
        silent: what to do when it gives no delegate and no reason.
        variant: which of a bundle's variants it runs.
        folders: where the vendor puts its libraries, besides the system's folders.
    """

    kind: str
    libraries: tuple[str, ...]
    install: str
    devices: tuple[str, ...] = ()
    demanded: bool = False
    silent: str = "Check that the device is there, and that this user may open it"
    variant: str = ""
    folders: tuple[str, ...] = ()


class External:
    """A delegate in a library of its own; implements ``Delegate``. Nothing is opened before ``open``.

    Args:
        traits: what sets its kind apart.
        options: what the profile says.
        passed: the library's own options that follow from them; ``options.options`` go over these.
        root: where the system's folders begin; another one in tests.
        read: what the library reads besides what the options say.
    """

    def __init__(
        self,
        traits: Traits,
        options: Options,
        passed: Mapping[str, Option] | None = None,
        root: Path = ROOT,
        read: tuple[str, ...] = (),
    ) -> None:
        self._traits = traits
        self._options = options
        self._passed = {name: _text(value) for name, value in {**(passed or {}), **options.options}.items()}
        self._root = root
        self._read = (*read, *options.read)

    @property
    def variant(self) -> str:
        """Which of a bundle's variants it runs; "" for the model that any CPU runs."""
        return self._traits.variant

    def probe(self) -> Presence:
        """Look whether its library and a device are there; nothing is loaded."""
        library, fault = self._find()
        if fault:
            return Presence(there=False, why=fault)
        devices, fault = self._look()
        if fault:
            return Presence(there=False, why=fault, library=library, devices=devices)
        why = ", ".join((Path(library).name, *devices))
        return Presence(there=True, why=why, library=library, devices=devices)

    def needs(self) -> Needs:
        """Give what the process that opens it must reach, besides the system's own libraries."""
        library, _ = self._find()
        read = (*((library,) if library else ()), *self._read)
        return Needs(read=read, devices=self._options.devices or self._traits.devices)

    def open(self, load: Callable[[str, Mapping[str, str]], object]) -> object:
        """Load the library and have it make its delegate.

        Raises:
            DelegateLost: in one line, with the next step.
        """
        kind = self._traits.kind
        path, fault = self._find()
        if fault:
            raise _reasons.not_found(kind, fault, self._traits.install)
        # The runtimes leave a broken object behind where this fails, whose finalizer prints a traceback.
        try:
            library = ctypes.CDLL(path)
        except OSError as error:
            raise _reasons.not_loaded(kind, path, error) from error
        for symbol in _reasons.SYMBOLS:
            if not hasattr(library, symbol):
                raise _reasons.no_delegate(kind, path, symbol)
        try:
            return load(path, self._passed)
        except (OSError, AttributeError, ValueError, RuntimeError) as error:
            _, absent = self._look()
            raise _reasons.refused(kind, path, error, absent, self._traits.silent) from error

    def describe(self) -> str:
        """Name the library's file, whose name mostly holds its version, and its devices."""
        library, fault = self._find()
        devices, _ = self._look()
        name = os.path.basename(os.path.realpath(library))  # noqa: PTH119 - a text, which may hold any bytes
        return fault or ", ".join((_reasons.one_line(name), *devices))

    def reset(self) -> bool:
        """Do nothing: no way is known."""
        return False

    def _find(self) -> tuple[str, str]:
        """Give the library's path, or why there is none."""
        wanted = self._options.library
        return _find.find((wanted,) if wanted else self._traits.libraries, self._traits.folders, self._root)

    def _look(self) -> tuple[tuple[str, ...], str]:
        """Give the devices that are there, and what is wrong with that, or ""."""
        return self._nodes(self._options.devices or self._traits.devices)

    def _nodes(self, known: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
        there = tuple(one for one in known if self._there(one))
        if not there and (self._traits.demanded or self._options.devices):
            return (), f"{' or '.join(known)} is not there"
        return there, self._closed(there)

    def _closed(self, paths: tuple[str, ...]) -> str:
        """Say which of these this user may not open, when that holds for all."""
        nodes = [one for one in paths if not os.path.isdir(self._below(one))]  # noqa: PTH112 - as below
        closed = [one for one in nodes if not os.access(self._below(one), os.R_OK | os.W_OK)]
        return f"{closed[0]} is there, and this user may not open it" if closed and closed == nodes else ""

    def _there(self, path: str) -> bool:
        return os.path.exists(self._below(path))  # noqa: PTH110 - Path raises where a folder is closed to us

    def _below(self, path: str) -> Path:
        return self._root / path.lstrip("/")


def _text(value: Option) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
