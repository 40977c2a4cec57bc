"""``edgectl deploy``: has a device run a published model in a pipeline, and waits for what comes of it."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.documents import keys
from agent.documents import policy as policies
from agent.documents import reported as reports
from agent.errors import ConfigInvalid, MessageInvalid
from agent.fleet.deploying import wishes
from agent.fleet.deploying.standing import Progress, Watch, progress
from agent.fleet.keys import DEVICES
from agent.fleet.repository import desired
from agent.fleet.repository.repository import opened
from agent.fleet.talk import Talk
from agent.link import topics
from agent.trust import read_verifier

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from agent.documents.desired import Desired
    from agent.documents.reported import Reported
    from agent.fleet.deploying.wishes import Change
    from agent.fleet.repository.repository import Repository
    from agent.link.settings import LinkSettings
    from agent.signing import Signer, Verifier

_OP = "deploy"
_LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says.

    Attributes:
        folder: the operator's.
        settings: of the link.
        passphrase: gives that of the keys.
        unsigned: believe what a device reports without its signature.
        timeout_s: how long to wait for the device, where that is asked for.
    """

    folder: Path
    fleet: str
    device: str
    change: Change
    settings: LinkSettings
    passphrase: Callable[[], str]
    unsigned: bool = False
    wait: bool = False
    timeout_s: float = 3600.0


@dataclass(frozen=True, slots=True)
class Deployed:
    """What was published, and where the device stands; ``notes`` is what the operator should know."""

    wish: Desired
    progress: Progress
    notes: tuple[str, ...] = ()


def deploy(options: Options, show: Callable[[Progress], None] = lambda _: None) -> Deployed:
    """Publish the next desired state; with ``wait``, until the device has made up its mind.

    Args:
        options: what is wanted.
        show: told where the device stands, whenever that changes.

    Raises:
        ConfigInvalid: the model is not published, a key is missing, or no device would believe it.
        BundleRefused: the fleet's policy does not allow the model.
        LinkLost: the broker does not answer, or refuses.
    """
    verifier = _device_key(options)
    fleet, device = options.fleet, options.device
    down, up = topics.down_desired(fleet, device), topics.up_reported(fleet, device)
    with ExitStack() as alone, Talk(options.settings, (down, up), topics.echo(fleet, device)) as talk:
        repository = alone.enter_context(opened(options.folder, options.passphrase))
        _allowed(repository, options)
        own = repository.keys.control()
        verifiers = _believed(repository, own)
        kept = talk.kept()
        theirs, problem = desired.read(kept.get(down), verifiers, fleet, device)
        notes = [f"the broker's desired state does not count: {problem}"] if problem else []
        before, problem = _read(kept.get(up), verifier, options)
        notes += [f"what the device reports does not count: {problem}"] if problem else []
        notes += _unknown_there(before, options.change.pipeline)
        wish = wishes.following(
            (desired.sent(options.folder, fleet, device), theirs),
            options.change,
            fleet=fleet,
            device=device,
            floor=before.generation if before else 0,
            issued=int(time.time()),
        )
        talk.publish(down, desired.keep(options.folder, wish, own))
        alone.close()  # who waits keeps nobody from the folder
        found = progress(before, wish, options.change.pipeline)
        if options.wait:
            found = _waited(talk, options, wish, verifier, found, show)
        return Deployed(wish, found, tuple(notes))


def _unknown_there(before: Reported | None, pipeline: str) -> list[str]:
    if before is None or not before.pipelines or pipeline in before.pipelines:
        return []
    return [f"the device has no pipeline {pipeline}, but: {', '.join(sorted(before.pipelines))}"]


def _waited(  # noqa: PLR0917 - what deploy has found so far
    talk: Talk,
    options: Options,
    wish: Desired,
    verifier: Verifier | None,
    found: Progress,
    show: Callable[[Progress], None],
) -> Progress:
    """Wait for the device's last word, or until time is up."""
    watch, give_up = Watch(), time.monotonic() + options.timeout_s
    up = topics.up_reported(options.fleet, options.device)
    shown = None
    while True:
        if found != shown:
            show(found)
            shown = found
        now = time.monotonic()
        if watch.over(found, now):
            return found
        if now >= give_up:
            return Progress(
                found.state, f"no last word after {options.timeout_s:g} s. {found.reason}".strip()
            )
        message = talk.next(_LOOK_S)
        if message is None or message.topic != up:
            continue
        reported, problem = _read(message.payload, verifier, options)
        if reported is not None:
            found = progress(reported, wish, options.change.pipeline)
        elif problem:
            found = Progress(found.state, f"what the device reports does not count: {problem}")


def _read(payload: bytes | None, verifier: Verifier | None, options: Options) -> tuple[Reported | None, str]:
    """Read what a device reports; give also why it does not count."""
    if not payload:
        return None, ""
    try:
        return reports.decode(payload, verifier, fleet=options.fleet, device=options.device), ""
    except MessageInvalid as error:
        return None, error.problem


def _device_key(options: Options) -> Verifier | None:
    if not topics.is_name(options.device):
        raise ConfigInvalid(_OP, repr(options.device), "a device cannot be called so", topics.NAME_HINT)
    if not topics.is_name(options.change.pipeline):
        raise ConfigInvalid(
            _OP, f"--pipeline {options.change.pipeline!r}", "none can be called so", topics.NAME_HINT
        )
    path = options.folder / DEVICES / f"{options.device}.pub"
    if options.unsigned:
        return None
    if not path.exists():
        names = sorted(one.stem for one in path.parent.glob("*.pub"))
        hint = (
            f"Known are: {', '.join(names[:20])}"
            if names
            else "Make its key with: edgectl init DIR --device ID"
        )
        raise ConfigInvalid(_OP, options.device, f"its key is not in {path.parent}", hint)
    return read_verifier(path, "--dir")


def _allowed(repository: Repository, options: Options) -> None:
    """Refuse what the device would refuse, before anybody is asked for a passphrase."""
    wanted = options.change.wanted
    manifest = repository.manifest(repository.bundle(wanted.name, wanted.version, _OP))
    if (policy := repository.document(policies.TARGET)) is not None:
        policies.decode(policy).check(manifest)


def _believed(repository: Repository, own: Signer) -> list[Verifier]:
    """Give the keys whose desired state devices take; ours must be one."""
    document = repository.document(keys.TARGET)
    verifiers = keys.decode(document).verifiers("desired") if document else []
    if own.key_id not in [one.key_id for one in verifiers]:
        problem = "no device takes its word: fleet/keys.json does not name it"
        hint = "If it was replaced just now, run this again; else put the right file there"
        raise ConfigInvalid("sign with", "key control", problem, hint)
    return verifiers
