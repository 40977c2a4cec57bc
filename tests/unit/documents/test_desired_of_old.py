"""What a newer operator sends an older device."""

from __future__ import annotations

import base64
import json
from typing import Any

from agent.documents import desired
from agent.documents.desired import Desired, Maintenance, Wanted
from agent.schedules import Window

KEYS = ["v", "fleet", "device", "generation", "models", "probation", "deadline_s", "issued"]
"""What release 0.1 knows, in its order."""


def written(**more: Any) -> list[str]:
    models = {"door": Wanted(name="shapes", version="1")}
    document = Desired(fleet="yard", device="pi", generation=3, models=models, **more)
    sealed = json.loads(desired.encode(document))
    return list(json.loads(base64.b64decode(sealed["payload"])))


def test_a_desired_state_without_the_later_keys_is_one_that_an_older_agent_takes() -> None:
    assert written() == KEYS
    assert written(overrides={"log.level": "debug"}) == [*KEYS, "overrides"]
    assert written(maintenance=Maintenance(windows=(Window(),))) == [*KEYS, "maintenance"]
