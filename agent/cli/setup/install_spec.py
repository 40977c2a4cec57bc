"""What `edge-agent install` is to install here: from its options, the configuration and the board."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.boards.matching import AUTO
from agent.cli.device.settings import Loaded
from agent.cli.setup.looking import look
from agent.cli.setup.schema import schema
from agent.cli.setup.starter import compose
from agent.config import settings as config
from agent.errors import AgentError
from agent.installing.families import FAMILIES, present, wanted
from agent.installing.plan import CONFIG, DROP_INS, PACKAGED, Spec
from agent.installing.record import below
from agent.probing.recognition import recognise

if TYPE_CHECKING:
    from agent.boards.profiles import Profile
    from agent.config.settings import Settings
    from agent.installing.environment import Environment
    from agent.installing.record import Record

NONE = "none"
_DEFAULT = Path("/opt/edge-agent")
_SCHEMA = "agent.schema.json"


@dataclass(frozen=True, slots=True)
class Given:
    """What the command line says.

    Attributes:
        root: the machine's "/".
        image: whether that is an image that is being built, and not the running machine.
        hardware: names of families, "auto" or "none".
        profile: a device profile's name or file; "" for the one that is found.
        start: whether to start the service.
    """

    root: Path
    image: bool
    hardware: tuple[str, ...]
    profile: str
    start: bool


def spec(given: Given, environment: Environment, known: Record) -> tuple[Spec, list[str]]:
    """Say what is to be installed, and what people should know beside it.

    Raises:
        ConfigInvalid: the configuration or the profile is wrong.
        AgentError: the configuration cannot be read.
    """
    path = below(given.root, CONFIG)
    first: dict[str, bytes] = {}
    settings: Settings | None = None
    if path.is_symlink() and not path.exists():  # its disk is not there, maybe
        raise AgentError(
            "install", str(path), "it is a link to what is not there", "Mount it, or remove the link"
        )
    if path.exists():
        settings = Loaded(path).settings
    elif not given.image:  # what is plugged in here is not what will be there
        first = _first(path)
        settings = config.parse(first[CONFIG].decode(), CONFIG)
    profile = _profile(given, settings)
    hardware, nodes = _hardware(given, profile, settings, known)
    packaged = below(given.root, PACKAGED).exists()
    asked = Spec(
        folder=_folder(given, environment),
        hardware=hardware,
        nodes=nodes,
        service_mb=profile.memory.service_mb if profile else 0,
        configuration=tuple(first.items()),
        packaged=packaged,
        image=str(given.root) if given.image else "",
        start=given.start,
        udev=below(given.root, "/run/udev/control").exists(),
    )
    return asked, list(_notes(given, asked, path))


def _first(path: Path) -> dict[str, bytes]:
    """Compose a first configuration, as `edge-agent init` does."""
    beside = path.with_name(_SCHEMA)
    text = compose(look("shapes", "", beside))
    return {
        CONFIG: text.encode(),
        str(Path(CONFIG).with_name(_SCHEMA)): (json.dumps(schema(), indent=2) + "\n").encode(),
    }


def _profile(given: Given, settings: Settings | None) -> Profile | None:
    """Give the board's profile; None for an image of which nobody says what it is for."""
    said = given.profile or (settings.profile if settings else "")
    if given.image and said in {"", AUTO}:
        return None
    return recognise(said or AUTO, below(given.root, CONFIG).parent).profile


def _hardware(
    given: Given, profile: Profile | None, settings: Settings | None, known: Record
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Give the families that are asked for, found, or there from before; and further nodes of the board."""
    found, nodes = wanted(profile, _sources(settings)) if "auto" in given.hardware else ([], [])
    if NONE in given.hardware:  # takes back what was added before
        return tuple(one.name for one in FAMILIES if one.name in given.hardware), ()
    before = {one.name for one in FAMILIES if _is_installed(given.root, one.drop_in, known)}
    names = {*given.hardware, *found, *before}
    return tuple(one.name for one in FAMILIES if one.name in names), tuple(nodes)


def _is_installed(root: Path, drop_in: str, known: Record) -> bool:
    path = f"{DROP_INS}/{drop_in}"
    return path in known.files and below(root, path).exists()


def _sources(settings: Settings | None) -> list[dict[str, Any]]:
    if settings is None:
        return []
    sources = [settings.source_of(one) for one in settings.pipelines]
    return [{**one.options, "kind": one.kind} for one in sources]


def _folder(given: Given, environment: Environment) -> str:
    """Give the environment's folder as the machine will see it.

    Raises:
        AgentError: no unit can name it.
    """
    folder = environment.folder
    if given.image:
        inside = folder.is_relative_to(given.root)
        folder = Path("/", folder.relative_to(given.root)) if inside else _DEFAULT
    name = str(folder)
    if not name.isprintable() or any(one in name for one in " \t%\"'\\$;"):
        hint = "Use a path of letters, digits and -, such as /opt/edge-agent"
        raise AgentError("install from", ascii(name), "no unit can hold this path", hint)
    return name


def _notes(given: Given, asked: Spec, path: Path) -> list[str]:
    """Say what was not done, and by what it would be."""
    notes = []
    if asked.packaged:
        notes.append("the units are the package's: only drop-ins and the configuration are written")
    if given.image:
        if not below(given.root, f"{asked.folder}/bin/edge-agent").exists():
            notes.append(f"the image has no {asked.folder}/bin/edge-agent yet")
        if not path.exists():
            notes.append(f"the image has no {CONFIG} yet: the service waits for one")
    elif other := [one for one in present(given.root) if one not in asked.hardware]:
        options = " ".join(f"--hardware {one}" for one in other)
        notes.append(
            f"plugged in, and not used by the configuration: {', '.join(other)}; for the service: {options}"
        )
    return notes
