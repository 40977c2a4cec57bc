"""A distribution's licence is read from wherever it says it."""

from __future__ import annotations

from email import message_from_string

import pytest

from agent.licences import licence


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("License-Expression: MIT OR Apache-2.0\nLicense: else\n", "MIT OR Apache-2.0"),
        ("License: Apache 2.0\n", "Apache-2.0"),
        ("License: BSD\n", "BSD"),
        ("License: many\n words\nClassifier: License :: OSI Approved :: MIT License\n", "MIT"),
        (f"License: {'a whole text ' * 20}\nClassifier: License :: OSI Approved :: MIT License\n", "MIT"),
        ("Classifier: License :: OSI Approved :: MIT License\nClassifier: License :: Public Domain\n",
         "MIT AND Public Domain"),
        ("Name: thing\n", ""),
    ],
)  # fmt: skip
def test_a_licence_is_read_from_wherever_a_distribution_says_it(said: str, told: str) -> None:
    assert licence(message_from_string(said)) == told
