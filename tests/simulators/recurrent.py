"""Tiny models of several inputs: one that remembers, written by the repository's own writer."""

from __future__ import annotations

import numpy as np

from models.tflite_writer import Writer

PRE = {"inputs": {"x": "frame", "h": {"from": "h_out", "initial": 0}}}
"""What a manifest says of the accumulator."""


def accumulator() -> bytes:
    """Make h_out = x + h, and total, which is the same; each of two floats."""
    net = Writer()
    x, h, after, total = (net.tensor(name, (1, 2), "float32") for name in ("t0", "t1", "t2", "t3"))
    zero = net.tensor("zero", (1, 2), "float32", data=np.zeros((1, 2), np.float32))
    net.operator("ADD", 1, (x, h), (after,), ("AddOptions", {}))
    net.operator("ADD", 1, (after, zero), (total,), ("AddOptions", {}))
    return net.finish("accumulator", {"x": x, "h": h}, {"total": total, "h_out": after})


def sums() -> bytes:
    """Make a picture's brightness, x of (1, 2, 2, 1), and three more inputs of one number each, added up."""
    net = Writer()
    x = net.tensor("x", (1, 2, 2, 1), "float32")
    size = net.tensor("size", (1, 2), "float32")
    some = net.tensor("some", (4,), "float32")
    wide, high = net.tensor("wide", (1, 4), "float32"), net.tensor("high", (1, 2), "float32")
    shape = net.tensor("shape", (2,), "int32", data=np.array([1, 4]))
    zeros = net.tensor("zeros", (1, 2), "float32", data=np.zeros((1, 2)))
    flat = net.tensor("flat", (1, 4), "float32")
    net.operator("RESHAPE", 1, (x, shape), (flat,), ("ReshapeOptions", {"newShape": [1, 4]}))
    net.operator("ADD", 1, (flat, some), (wide,), ("AddOptions", {}))
    net.operator("ADD", 1, (size, zeros), (high,), ("AddOptions", {}))
    return net.finish("sums", {"x": x, "size": size, "some": some}, {"wide": wide, "high": high})


def counter() -> bytes:
    """Make how many frames there were: count = h + 1 + 0 * x, of a picture x of (1, 1, 1, 1)."""
    net = Writer()
    x, h = net.tensor("x", (1, 1, 1, 1), "float32"), net.tensor("h", (1, 1), "float32")
    shape = net.tensor("shape", (2,), "int32", data=np.array([1, 1]))
    zero, one = (net.tensor(str(value), (1, 1), "float32", data=np.full((1, 1), value)) for value in (0, 1))
    flat, nothing, more = (net.tensor(name, (1, 1), "float32") for name in ("flat", "nothing", "more"))
    after, count = net.tensor("after", (1, 1), "float32"), net.tensor("count", (1, 1), "float32")
    net.operator("RESHAPE", 1, (x, shape), (flat,), ("ReshapeOptions", {"newShape": [1, 1]}))
    net.operator("MUL", 1, (flat, zero), (nothing,), ("MulOptions", {}))
    net.operator("ADD", 1, (nothing, one), (more,), ("AddOptions", {}))
    net.operator("ADD", 1, (more, h), (after,), ("AddOptions", {}))
    net.operator("ADD", 1, (after, nothing), (count,), ("AddOptions", {}))
    return net.finish("counter", {"x": x, "h": h}, {"count": count, "h_out": after})
