"""What a rollout stands on: the published model, and the key that devices believe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.documents import policy as policies
from agent.fleet.deploying.deploy import believed
from agent.fleet.repository.repository import opened

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from agent.documents.desired import Wanted
    from agent.link.settings import LinkSettings
    from agent.manifest import Manifest
    from agent.trust.signing import Signer, Verifier


@dataclass(frozen=True, slots=True)
class Place:
    """Where to work.

    Attributes:
        folder: the operator's.
        settings: of the link.
        passphrase: gives that of the keys.
        unsigned: believe what devices report without their signature.
    """

    folder: Path
    fleet: str
    settings: LinkSettings
    passphrase: Callable[[], str]
    unsigned: bool = False


@dataclass(frozen=True, slots=True)
class Keys:
    """Who signs desired states, and whose count."""

    signer: Signer
    verifiers: tuple[Verifier, ...]


def allowed(place: Place, model: Wanted) -> Manifest:
    """Give a published model's manifest, where the fleet's policy allows it.

    Raises:
        ConfigInvalid: it is not published.
        BundleRefused: the policy does not allow it.
        AgentError: somebody else is at work in the folder.
    """
    with opened(place.folder, place.passphrase) as repository:
        manifest = repository.manifest(repository.bundle(model.name, model.version, "roll out"))
        if (policy := repository.document(policies.TARGET)) is not None:
            policies.decode(policy).check(manifest)
        return manifest


def keys(place: Place) -> Keys:
    """Open the control key, which stays in memory while the rollout goes on.

    Raises:
        ConfigInvalid: it is missing, no device believes it, or the passphrase does not open it.
        AgentError: somebody else is at work in the folder.
    """
    with opened(place.folder, place.passphrase) as repository:
        own = repository.keys.control()
        return Keys(own, tuple(believed(repository, own)))
