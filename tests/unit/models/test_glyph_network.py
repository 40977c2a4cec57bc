"""The glyph network in jax and as a file: the same numbers. Needs the extra ``train``."""

from __future__ import annotations

import numpy as np
import pytest

from models.runner import Runner

pytest.importorskip("jax", reason="needs jax: pip install -e '.[train]'")


def test_the_file_computes_what_was_trained() -> None:
    from models.glyphs import network

    params = network.initial(3)
    graph, output = network.graph(params)
    runner = Runner(graph.write(output, "float32"))
    images = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), np.uint8)
    logits = np.asarray(network.logits(params, images))
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    for image, probabilities in zip(images, expected, strict=True):
        np.testing.assert_allclose(runner.run(image / 255), probabilities, atol=1e-5)


def test_fitting_lowers_the_loss_and_ends_where_the_answer_is() -> None:
    from models.training import fit

    losses: list[float] = []
    target = np.array([1.0, -2.0], np.float32)
    found = fit(
        lambda params, wanted: ((params - wanted) ** 2).sum(),
        np.zeros(2, np.float32),
        [(target,)] * 200,
        steps=200,
        rate=0.1,
        report=lambda _, loss: losses.append(loss),
    )
    np.testing.assert_allclose(found, target, atol=0.02)
    assert losses[-1] < 0.001 < losses[0]
