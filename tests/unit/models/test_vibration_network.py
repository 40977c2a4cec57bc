"""The vibration network in jax and as a file: the same numbers. Needs the extra ``train``."""

from __future__ import annotations

import numpy as np
import pytest

from models.runner import Runner
from models.vibration import data

pytest.importorskip("jax", reason="needs jax: pip install -e '.[train]'")


def test_the_file_computes_what_was_trained() -> None:
    from models.vibration import network

    windows = data.healthy(1, 30, 10)
    params = network.initial(windows.reshape(len(windows), -1))
    layout, output = network.graph(params)
    runner = Runner(layout.write(output, "float32"))
    loud = 3 * windows[:4]  # beyond what the middle can hold
    for window in (*windows[4:8], *loud):
        expected = np.asarray(network.reconstruct(params, window.reshape(1, -1))).reshape(window.shape)
        np.testing.assert_allclose(runner.run(window), expected, atol=1e-5)


def test_what_is_louder_than_a_healthy_machine_does_not_fit_through_the_middle() -> None:
    from models.vibration import network

    windows = data.healthy(1, 30, 10).reshape(300, -1)
    params = network.initial(windows)
    quiet, loud = (network.reconstruct(params, factor * windows) - factor * windows for factor in (1, 3))
    assert np.square(loud).mean() > 20 * np.square(quiet).mean()
