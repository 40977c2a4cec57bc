"""Words in a stream of sound, each heard once: windows, features, model, keywords, smoothing, records."""

from __future__ import annotations

import wave
from typing import TYPE_CHECKING, Any

import pytest

from tests.simulators.running_agent import RunningAgent

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.shared

SAID = ("silence", "yes", "silence", "no", "silence", "noise", "silence")
HOP = 1600


def records(shared: Path, folder: Path, filters: str) -> list[dict[str, Any]]:
    sound, labels = folder / "said.wav", folder / "labels.txt"
    labels.write_text("silence\nunknown\nyes\nno\n")
    with wave.open(str(sound), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", "not compressed"))
        for name in SAID:
            with wave.open(str(shared / f"models/media/{name}_1000ms.wav")) as one:
                file.writeframes(one.readframes(16000))
    lines = (
        f'source = {{ kind = "wav", path = "{sound}", window = 16000, hop = {HOP} }}\n'
        f'task = "keywords"\nlabels = "{labels}"\npre = {{ features = {{ kind = "micro_speech" }} }}\n'
        f"{filters}"
    )
    model = str(shared / "models/micro_speech_quantized.tflite")
    with RunningAgent(folder, lines, "", "--exit-when-ended", model=model) as agent:
        assert agent.process.wait(60) == 0, agent.log
    found, ledger = agent.stored()
    assert ledger["inferred"] == (len(SAID) * 16000 - 16000) // HOP + 1
    return [record for record in found if record["kind"] == "keywords"]


def test_each_word_is_heard_once_and_what_single_windows_make_of_noise_is_not(
    shared: Path, tmp_path: Path
) -> None:
    found = records(
        shared, tmp_path, 'filters = [{ kind = "smooth", windows = 5, min_score = 0.7, suppress_s = 1.5 }]'
    )
    events = [event for record in found for event in record.get("events", ())]
    assert [(event["event"], event["label"]) for event in events] == [
        ("keyword.heard", "yes"),
        ("keyword.heard", "no"),
    ]
    assert all(event["score"] >= 0.7 for event in events)
    assert len(found) == 61
