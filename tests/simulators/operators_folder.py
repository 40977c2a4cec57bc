"""An operator's folder with devices and published models, whose files are a few bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.documents.keys import TARGET as KEYS
from agent.documents.keys import ControlKey, ControlKeys
from agent.documents.policy import TARGET as POLICY
from agent.fleet.keys import make_keys
from agent.fleet.repository.repository import opened
from tests.simulators.operating import PASSPHRASE, add, ask, make_bundle, operator

if TYPE_CHECKING:
    from pathlib import Path

    from agent.documents.policy import Policy
    from agent.trust.signing import Signer

__all__ = ["PASSPHRASE", "make", "publish"]


def make(folder: Path, *devices: str, models: tuple[str, ...] = ()) -> Signer:
    """Make keys and published models, each ``name@version``; give the control key."""
    make_keys(operator(folder), devices)
    with opened(folder, ask) as repository:
        for model in models:
            name, _, version = model.partition("@")
            add(repository, make_bundle(folder.parent / f"{folder.name}-bundles" / model, version, name=name))
        repository.commit()
        return repository.keys.control()


def publish(folder: Path, *, control: Signer | None = None, policy: Policy | None = None) -> None:
    """Name another control key, or a policy."""
    with opened(folder, ask) as repository:
        if control is not None:
            pem = control.public_pem().decode()
            keys = ControlKeys(keys=(ControlKey(pem=pem, scopes=("desired", "command")),))
            repository.set_document(KEYS, keys.model_dump_json().encode())
        if policy is not None:
            repository.set_document(POLICY, policy.model_dump_json().encode())
        repository.commit()
