"""``edgectl deploy``: has devices run a published model in a pipeline, and waits for what comes of it."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agent.documents import keys
from agent.documents import policy as policies
from agent.errors import ConfigInvalid
from agent.fleet import inventory
from agent.fleet.deploying.hearing import Hearing
from agent.fleet.deploying.many import Known, Reader, publish_wishes
from agent.fleet.deploying.standing import Progress, Watch, progress
from agent.fleet.inventory import Entry
from agent.fleet.repository.repository import opened
from agent.link import topics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from agent.documents.desired import Desired
    from agent.fleet.deploying.wishes import Change
    from agent.fleet.repository.repository import Repository
    from agent.link.settings import LinkSettings
    from agent.trust.signing import Signer, Verifier

_OP = "deploy"
_LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says.

    Attributes:
        folder: the operator's.
        devices: by name.
        settings: of the link.
        passphrase: gives that of the keys.
        groups: whose devices are meant, too.
        unsigned: believe what a device reports without its signature.
        timeout_s: how long to wait for the devices, where that is asked for.
    """

    folder: Path
    fleet: str
    devices: Sequence[str]
    change: Change
    settings: LinkSettings
    passphrase: Callable[[], str]
    groups: Sequence[str] = ()
    unsigned: bool = False
    wait: bool = False
    timeout_s: float = 3600.0


@dataclass(frozen=True, slots=True)
class Deployed:
    """What was published, and where the device stands; ``notes`` is what the operator should know."""

    wish: Desired
    progress: Progress
    notes: tuple[str, ...] = ()


def deploy(
    options: Options, show: Callable[[str, Progress], object] = lambda _device, _found: None
) -> list[Deployed]:
    """Publish the next desired states; with ``wait``, until each device has made up its mind.

    Args:
        options: what is wanted.
        show: told where a device stands, whenever that changes.

    Returns:
        What came of it, by the devices' names.

    Raises:
        ConfigInvalid: the model is not published, a key is missing, no device would believe it, or there is
            no such device or group.
        BundleRefused: the fleet's policy does not allow the model.
        LinkLost: the broker does not answer, or refuses.
    """
    names = [one.name for one in _meant(options)]
    change = options.change
    with ExitStack() as alone, Hearing(options.settings, options.fleet, names) as hearing:
        repository = alone.enter_context(opened(options.folder, options.passphrase))
        _allowed(repository, change)
        verifiers = believed(repository, repository.keys.control())
        reader = Reader(options.folder, options.fleet, verifiers, unsigned=options.unsigned)
        down, up = hearing.kept()
        known = [reader.known(name, down.get(name), up.get(name)) for name in names]
        issued = int(time.time())
        wishes = {one.device: reader.following(one, change, issued) for one in known}
        publish_wishes(hearing.talk, repository, wishes.values())
        alone.close()  # who waits keeps nobody from the folder
        found = {
            one.device: Deployed(
                wishes[one.device],
                progress(one.reported, wishes[one.device], change.pipeline),
                (*one.notes, *_unknown_there(one, wishes[one.device], change.pipeline)),
            )
            for one in known
        }
        if options.wait:
            _wait(hearing, reader, options, found, show)
        return list(found.values())


def _unknown_there(known: Known, wish: Desired, pipeline: str) -> list[str]:
    """Say which pipelines are meant that the device does not have; one setting of such a one spoils all."""
    there = known.reported.pipelines if known.reported else {}
    if not there:
        return []
    names = ", ".join(sorted(there))
    notes = [f"the device has no pipeline {pipeline}, but: {names}"] if pipeline not in {"", *there} else []
    for key in wish.overrides:
        table, _, rest = key.partition(".")
        name = rest.partition(".")[0]
        if table == "pipelines" and name not in there:
            notes.append(f"the device has no pipeline {name}, but: {names}. Take it away: --unset {key}")
    return notes


def _wait(
    hearing: Hearing,
    reader: Reader,
    options: Options,
    found: dict[str, Deployed],
    show: Callable[[str, Progress], object],
) -> None:
    """Wait for the devices' last words, or until time is up; put into ``found`` where they stand."""
    give_up = time.monotonic() + options.timeout_s
    watches = {name: Watch() for name in found}
    for name, one in found.items():
        show(name, one.progress)
    while watches:
        now = time.monotonic()
        for name in [name for name, watch in watches.items() if watch.over(found[name].progress, now)]:
            del watches[name]
        if now >= give_up:
            break
        heard = hearing.report(_LOOK_S, list(watches)) if watches else None
        if heard is None or heard[0] not in watches:
            continue
        name, payload = heard
        before = found[name]
        reported, problem = reader.reported(name, payload)
        after = before.progress
        if reported is not None:
            after = progress(reported, before.wish, options.change.pipeline)
        elif problem:
            after = Progress(after.state, f"what the device reports does not count: {problem}")
        if after != before.progress:
            found[name] = replace(before, progress=after)
            show(name, after)
    for name in watches:
        last = found[name].progress
        reason = last.reason or f"Is it online? edgectl status {name}"
        late = Progress(last.state, f"no last word after {options.timeout_s:g} s. {reason}")
        found[name] = replace(found[name], progress=late)
        show(name, late)


def _meant(options: Options) -> list[Entry]:
    pipeline = options.change.pipeline
    for name in options.devices:
        if not topics.is_name(name):
            raise ConfigInvalid(_OP, repr(name), "a device cannot be called so", topics.NAME_HINT)
    if pipeline and not topics.is_name(pipeline):
        raise ConfigInvalid(_OP, f"--pipeline {pipeline!r}", "none can be called so", topics.NAME_HINT)
    if options.unsigned and not options.groups:
        found = [Entry(name=name) for name in sorted(set(options.devices))]
    else:
        found = inventory.chosen(options.folder, list(options.devices), list(options.groups))
    if not found:
        raise ConfigInvalid(_OP, "devices", "none is meant", "Name a DEVICE, or a --group")
    return found


def _allowed(repository: Repository, change: Change) -> None:
    """Refuse what the device would refuse, before anybody is asked for a passphrase."""
    if (wanted := change.wanted) is None:
        return
    manifest = repository.manifest(repository.bundle(wanted.name, wanted.version, _OP))
    if (policy := repository.document(policies.TARGET)) is not None:
        policies.decode(policy).check(manifest)


def believed(repository: Repository, own: Signer) -> list[Verifier]:
    """Give the keys whose desired state devices take; ours must be one."""
    document = repository.document(keys.TARGET)
    verifiers = keys.decode(document).verifiers("desired") if document else []
    if own.key_id not in [one.key_id for one in verifiers]:
        problem = "no device takes its word: fleet/keys.json does not name it"
        hint = "If it was replaced just now, run this again; else put the right file there"
        raise ConfigInvalid("sign with", "key control", problem, hint)
    return verifiers
