"""Which device profile is this machine's, and why. Pure: ``agent.probing.machine`` reads what it goes by."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from agent.boards.profiles import Profile
from agent.errors import ConfigInvalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from agent.boards.profiles import Match

AUTO = "auto"
_OP = "choose profile"
_ASKED = "it was asked for by name"


@dataclass(frozen=True, slots=True)
class Usb:
    """A device on the USB: ``id`` as "vendor:product", its maker's name for it, where it is plugged in."""

    id: str
    name: str = ""
    port: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a machine says of itself.

    Attributes:
        machine: as `uname -m`.
        compatible: of the device tree, the board's own name first; none without a device tree.
        model: of the device tree, or "".
        usb: what is plugged in.
        cpuinfo: the lines of /proc/cpuinfo, each once, as "key: value".
        files: of the patterns that were looked for, those that some file fits, and that file.
    """

    machine: str
    compatible: tuple[str, ...] = ()
    model: str = ""
    usb: tuple[Usb, ...] = ()
    cpuinfo: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recognised:
    """This machine's profile.

    Attributes:
        profile: the board's, with what overlays add to it.
        why: what it was recognised by, or who asked for it.
        overlays: the name of each overlay, and what it was recognised by.
    """

    profile: Profile
    why: str
    overlays: tuple[tuple[str, str], ...] = ()

    @property
    def title(self) -> str:
        """The board's name, and those of the overlays."""
        return " + ".join((self.profile.name, *(name for name, _ in self.overlays)))


@dataclass(frozen=True, slots=True)
class _Fit:
    """How well a profile matches: the larger ``rank`` is the more specific one."""

    rank: tuple[int, ...]
    why: str


def choose(profiles: Iterable[Profile], wanted: str, facts: Facts) -> Recognised:
    """Give the profile named ``wanted``, or for "auto" the one that fits best, with all overlays that fit.

    A name of an overlay adds that overlay, whether it fits or not.

    Raises:
        ConfigInvalid: there is none of that name, or two fit equally well.
    """
    known = list(profiles)
    asked = next((one for one in known if one.name == wanted), None)
    if asked is None and wanted != AUTO:
        names = ", ".join(one.name for one in known)
        hint = f"Use auto or one of: {names}"
        raise ConfigInvalid(_OP, wanted, "there is no such device profile", hint, loc=("profile",))
    if asked is not None and not asked.overlay:
        board, why = asked, _ASKED
    else:
        board, why = _best([one for one in known if not one.overlay], facts)
    overlays = []
    for one in sorted((one for one in known if one.overlay), key=lambda one: one.name):
        fit = _fit(one, facts)
        if one is asked or fit is not None:
            overlays.append((one, _ASKED if fit is None else fit.why))
    merged = _merged(board, [one for one, _ in overlays])
    return Recognised(merged, why, tuple((one.name, told) for one, told in overlays))


def _best(boards: Sequence[Profile], facts: Facts) -> tuple[Profile, str]:
    """Give the board that fits best, and why; the unknown one where none does."""
    fits = [(fit, one) for one in boards if (fit := _fit(one, facts)) is not None]
    if not fits:
        said = f"; the device tree says {', '.join(facts.compatible)}" if facts.compatible else ""
        nobody = Profile(name="unknown", description=f"an unknown machine ({facts.machine})", tested=False)
        return nobody, f"no profile matches: uname says {facts.machine}{said}"
    top = max(fit.rank for fit, _ in fits)
    best = [(fit, one) for fit, one in fits if fit.rank == top]
    if len(best) > 1:
        names = " and ".join(one.name for _, one in best)
        hint = f"Name one as profile in the configuration, such as {best[0][1].name}"
        raise ConfigInvalid(_OP, AUTO, f"{names} fit equally well", hint, loc=("profile",))
    return best[0][1], best[0][0].why


def _merged(board: Profile, overlays: Sequence[Profile]) -> Profile:
    """Put the delegates of overlays in front, but for those whose titles the board has already."""
    taken = {one.title for one in board.delegates}
    added = []
    for delegate in (one for overlay in overlays for one in overlay.delegates):
        if delegate.title not in taken:
            taken.add(delegate.title)
            added.append(delegate)
    devices = [*board.devices, *(one for overlay in overlays for one in overlay.devices)]
    return board.model_copy(
        update={"delegates": (*added, *board.delegates), "devices": tuple(dict.fromkeys(devices))}
    )


def _fit(profile: Profile, facts: Facts) -> _Fit | None:
    """Say how well a profile fits, by the best of its alternatives; None when none does."""
    fits = [fit for match in profile.match if (fit := _fit_one(match, facts)) is not None]
    return max(fits, key=lambda fit: fit.rank, default=None)


def _fit_one(match: Match, facts: Facts) -> _Fit | None:
    """Hold one alternative against the machine. What is nearer to the board itself weighs more."""
    looked = (
        _compatible(match.compatible, facts),
        _among(match.model, (facts.model,), "the device tree's model is {}"),
        _file(match.files, facts),
        _usb(match.usb, facts),
        _among(match.cpuinfo, facts.cpuinfo, "/proc/cpuinfo says {}"),
        _among(match.machine, (facts.machine,), "uname says {}"),
    )
    given = (match.compatible, match.model, match.files, match.usb, match.cpuinfo, match.machine)
    if not any(given) or any(wanted and not fit for wanted, (fit, _) in zip(given, looked, strict=True)):
        return None
    # The machine's type goes without saying where something better was found.
    told = [why for _, why in looked[:-1] if why] or [looked[-1][1]]
    return _Fit(tuple(fit for fit, _ in looked), ", ".join(told))


def _compatible(patterns: Sequence[str], facts: Facts) -> tuple[int, str]:
    """The earlier in the device tree's list the more specific: the board stands before its chip."""
    for place, name in enumerate(facts.compatible):
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            return len(facts.compatible) - place, f"the device tree says {name}"
    return 0, ""


def _among(patterns: Sequence[str], values: Iterable[str], words: str) -> tuple[int, str]:
    for value in values:
        if any(fnmatchcase(value, pattern) for pattern in patterns):
            return 1, words.format(value)
    return 0, ""


def _file(patterns: Sequence[str], facts: Facts) -> tuple[int, str]:
    found = next((facts.files[one] for one in patterns if one in facts.files), "")
    return (1, f"{found} is there") if found else (0, "")


def _usb(patterns: Sequence[str], facts: Facts) -> tuple[int, str]:
    for device in facts.usb:
        if any(fnmatchcase(device.id, pattern) for pattern in patterns):
            return 1, f"the USB has {device.id}{f' ({device.name})' if device.name else ''}"
    return 0, ""
