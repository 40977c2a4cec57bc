"""Desired states that were sent, as DIR/devices/<id>.desired.json: signed anew after a rotation, put back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from agent.documents import desired as documents
from agent.documents import keys
from agent.errors import MessageInvalid
from agent.files import write_durably
from agent.fleet.kept import kept_of
from agent.fleet.keys import DEVICES
from agent.fleet.repository.keystore import NEXT
from agent.fleet.repository.roles import KEYS
from agent.fleet.repository.signers import CONTROL
from agent.link import topics
from agent.trust import dsse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from agent.documents.desired import Desired
    from agent.fleet.repository.repository import Repository
    from agent.fleet.repository.wire import Wire
    from agent.link.settings import LinkSettings
    from agent.trust.signing import Signer, Verifier

ENDING = ".desired.json"
_MODE = 0o644


def path_of(folder: Path, device: str) -> Path:
    """Where the last desired state lies that was sent to a device."""
    return folder / DEVICES / f"{device}{ENDING}"


def sent(folder: Path, fleet: str, device: str) -> Desired | None:
    """Give the last one that was sent from this folder; its own file needs no proof.

    Raises:
        MessageInvalid: the file is damaged, or another fleet's.
        OSError: it cannot be read.
    """
    path = path_of(folder, device)
    try:
        return documents.decode(path.read_bytes(), None, fleet=fleet, device=device)
    except FileNotFoundError:
        return None
    except MessageInvalid as error:
        hint = "Delete it if it is not the last word: the broker's is taken then"
        raise MessageInvalid("read", str(path), error.problem, hint) from error


def keep(folder: Path, wish: Desired, signer: Signer) -> bytes:
    """Sign a desired state and write it into the folder, before anybody hears of it; give the message.

    Raises:
        OSError: the disk refuses.
    """
    payload = documents.encode(wish, signer)
    write_durably(path_of(folder, wish.device), payload, _MODE)
    return payload


def read(
    payload: bytes | None, verifiers: Sequence[Verifier], fleet: str, device: str
) -> tuple[Desired | None, str]:
    """Read one that the broker keeps, or that lies here; give also why it does not count."""
    if not payload:
        return None, ""
    try:
        return documents.decode(payload, verifiers, fleet=fleet, device=device), ""
    except MessageInvalid as error:
        return None, error.problem


def seal_again(repository: Repository) -> list[str]:
    """Sign with the next control key, too, what the present one has signed; give the devices' names.

    Both keys sign: whatever a kill leaves of the rotation, one of them counts.

    Raises:
        ConfigInvalid: a key is missing, or the passphrase does not open it.
        OSError: the disk refuses.
    """
    sealers = [repository.keys.control(CONTROL + NEXT)]
    if repository.keys.has(CONTROL):
        sealers.append(repository.keys.control(CONTROL))
    before = _verifiers(repository.keys.public_pem(CONTROL)) if repository.keys.has(CONTROL) else []
    done = []
    for path in _files(repository.tree.folder):
        try:
            document = dsse.unseal(
                path.read_bytes(), documents.KIND, before, what="desired state", most=documents.MAX_BYTES
            )
        except MessageInvalid as error:
            hint = f"Deploy to it again, or delete {path.name}"
            raise MessageInvalid("sign again", str(path), error.problem, hint) from error
        write_durably(path, dsse.seal(documents.KIND, document, *sealers), _MODE)
        done.append(path.name.removesuffix(ENDING))
    return done


def wanting(folder: Path, model: str) -> list[str]:
    """Give the devices whose last desired state, as it was sent from here, names ``name@version``."""
    found = {path.name.removesuffix(ENDING): _models(path.read_bytes()) for path in _files(folder)}
    return [device for device, models in found.items() if model in models]


def send(wire: Wire, fleet: str, folder: Path, devices: Sequence[str]) -> None:
    """Have the broker retain what was sent to devices last.

    Raises:
        LinkLost: the broker is away for too long.
        AgentError: the broker does not take it over.
    """
    for device in devices:
        wire.retain(topics.down_desired(fleet, device), path_of(folder, device).read_bytes())


def heal(wire: Wire, settings: LinkSettings, repository: Repository, fleet: str) -> list[str]:
    """Put back the desired states that the broker has lost; give the devices' names.

    What the broker has of a higher generation, signed with a key that counts, stays.

    Raises:
        LinkLost: the broker is away for too long.
        AgentError: the broker does not take it over.
    """
    document = repository.document(KEYS)
    verifiers = keys.decode(document).verifiers("desired") if document else []
    ours = {}
    for path in _files(repository.tree.folder):
        device, content = path.name.removesuffix(ENDING), path.read_bytes()
        own, _ = read(content, verifiers, fleet, device)
        if own is not None:
            ours[device] = (own.generation, content)
    if not ours:
        return []
    there = kept_of(settings, fleet, list(ours), topics.down_desired)
    lost = []
    for device, (generation, content) in ours.items():
        found = there.get(device, b"")
        theirs, _ = read(found, verifiers, fleet, device)
        if found != content and (theirs is None or theirs.generation <= generation):
            lost.append(device)
    send(wire, fleet, repository.tree.folder, lost)
    return lost


def _files(folder: Path) -> list[Path]:
    found = (folder / DEVICES).glob(f"*{ENDING}")
    return sorted(path for path in found if topics.is_name(path.name.removesuffix(ENDING)))


def _models(content: bytes) -> set[str]:
    """Read which models a desired state names; none where it is damaged: who deploys next is told."""
    try:
        document = dsse.unseal(content, documents.KIND, None, what="desired state", most=documents.MAX_BYTES)
        return {str(one) for one in documents.Desired.model_validate_json(document).models.values()}
    except (MessageInvalid, ValidationError):
        return set()


def _verifiers(pem: str) -> list[Verifier]:
    from agent.trust.signing import Verifier

    return [Verifier.from_pem(pem.encode())]
