"""The models that come with the agent, and what makes them.

A model is a folder here, which is also its bundle:

- ``data.py`` draws what it is trained and measured on. Seeds from ``HELD_OUT`` on are never trained on.
- ``network.py`` has the network twice: for jax, and as a ``graph.Graph`` that writes the file; a test holds
  them equal. Only this, ``train.py`` and a loss may import jax, which is in the extra ``train``.
- ``train.py`` trains (``training.fit``), writes the file with ranges that ``runner.Runner`` observes, and
  makes the bundle: ``manifest.json``, model, labels and golden data (see ``bundle``).
- ``evaluate.py`` is an ``evaluate.Evaluation``: the metric, its target, the conditions. It needs no jax;
  ``python -m models.evaluate`` runs it and compares with the card. ``line.Line`` is the agent's own way from
  a frame to the items of a result.
- ``README.md`` is the card: data, the value of each condition in a table, licence, limits, how it is made.

The files that the agent needs at run time are named in ``pyproject.toml``, so that the wheel holds them, and
the tests of a model stand in ``tests/unit/models/``. A model has less than 300 KB, int8 weights and
activations, and comes from its seed alone.
"""
