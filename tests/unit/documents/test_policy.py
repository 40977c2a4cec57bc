"""The fleet's policy: what it allows, which rule a refusal names, and how versions are ordered."""

from __future__ import annotations

import itertools
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import manifest as manifests
from agent.documents import policy
from agent.documents.policy import Policy, version_key
from agent.errors import BundleRefused

VERSIONS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,20}", fullmatch=True)


def manifest(**change: Any) -> manifests.Manifest:
    body: dict[str, Any] = {"schema": 2, "name": "gate-1", "version": "1.2", "task": "tensor"}
    files = [manifests.entry("m.tflite", b"m").model_dump()]
    body |= {"license": "Apache-2.0", "model": "m.tflite", "files": files, **change}
    return manifests.parse(orjson.dumps(body))


RISING = [
    "0.9",
    "1.0-a1",
    "1.0-rc1",
    "1.0rc2",
    "1.0-rc10",
    "1.0",
    "1.0+7",
    "1.0+10",
    "1.0.0",
    "1.0.1-beta",
    "1.0.1",
    "v1.1",
    "1.9",
    "1.10",
    "2",
    "2026-11-25",
    "2026-11-26",
]


@pytest.mark.parametrize(("low", "high"), list(itertools.combinations(RISING, 2)))
def test_versions_rise_by_their_numbers_and_a_release_comes_after_its_pre_releases(
    low: str, high: str
) -> None:
    assert version_key(low) < version_key(high)


def test_how_a_version_is_spelled_does_not_matter() -> None:
    assert version_key("1.0-RC1") == version_key("1.0.rc.1") == version_key("v1.0_rc01")


@given(VERSIONS, VERSIONS, VERSIONS)
def test_any_versions_can_be_ordered(one: str, two: str, three: str) -> None:
    keys = sorted([version_key(one), version_key(two), version_key(three)])
    assert keys[0] <= keys[1] <= keys[2]
    assert version_key(f"{one}.1") > version_key(one) or "+" in one or one[-1:].isalpha()


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_numbers_are_ordered_as_numbers(one: int, two: int) -> None:
    assert (version_key(f"1.{one}") < version_key(f"1.{two}")) == (one < two)


def test_without_a_rule_everything_is_allowed() -> None:
    Policy().check(manifest())


@pytest.mark.parametrize(
    ("rules", "rule"),
    [
        ({"names": ("door-*", "yard")}, "policy.names"),
        ({"names": ()}, "policy.names"),
        ({"names": ("GATE-1",)}, "policy.names"),
        ({"licenses": ("MIT",)}, "policy.licenses"),
        ({"licenses": ()}, "policy.licenses"),
        ({"min_versions": {"gate-1": "1.10"}}, "policy.min_versions"),
        ({"quantized_only": True}, "policy.quantized_only"),
    ],
)
def test_a_refusal_names_its_rule(rules: dict[str, Any], rule: str) -> None:
    with pytest.raises(BundleRefused, match=rule) as caught:
        Policy(**rules).check(manifest())
    assert caught.value.rule == rule


@pytest.mark.parametrize(
    "rules",
    [
        {"names": ("door-*", "gate-?")},
        {"licenses": ("MIT", "Apache-2.0")},
        {"min_versions": {"gate-1": "1.2", "other": "99"}},
        {"quantized_only": True},
    ],
)
def test_what_a_rule_allows_passes(rules: dict[str, Any]) -> None:
    Policy(**rules).check(manifest(quantized=True))


def test_names_and_versions_are_refused_before_anything_is_fetched() -> None:
    with pytest.raises(BundleRefused, match=r"1\.2 is the lowest that is allowed"):
        Policy(min_versions={"gate-1": "1.2"}).check_name("gate-1", "1.2-rc1")
    Policy(licenses=(), quantized_only=True).check_name("gate-1", "1.2")


def test_a_policy_comes_back_as_it_was() -> None:
    rules = Policy(names=("a*",), licenses=("MIT",), min_versions={"a": "1"}, delegates=("cpu",))
    assert policy.decode(rules.model_dump_json().encode()) == rules
