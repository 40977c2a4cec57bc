"""What the runtime says when it refuses a model, in words that tell what to do."""

from __future__ import annotations

import re

from agent.errors import ModelInvalid
from agent.tflite.flatbuffers import Broken
from agent.tflite.outline import EDGE_TPU_OPERATOR

_CUSTOM_OP = re.compile(r"unresolved custom op: (.+?)\.?(?:\s|$)")
_NEWER_OP = re.compile(r"builtin opcode '(\w+)'(?: version '(\d+)')?")
_WHERE = re.compile(r"\.?\s*Node number (\d+) \((.+?)\) failed to \w+\.?")
_UNKNOWN_OP = re.compile(r"Op builtin_code out of range: (\d+)")
_COPY = "Copy it again, and compare its sha256 with the original's"
_MOST = 200


def explain(error: Exception, name: str) -> ModelInvalid:
    """Give the error to raise when loading model ``name`` failed with ``error``."""
    problem, hint = (str(error), _COPY) if isinstance(error, Broken) else _explain(str(error))
    return ModelInvalid("load model", name, problem, hint)


def one_line(text: str) -> str:
    """Give a runtime's message on one line, cut where it grows long."""
    line = " ".join(_WHERE.sub(r" in operator \1 (\2)", text).split())
    return line[:_MOST].rstrip(" .") or "no reason given"


def _explain(text: str) -> tuple[str, str]:
    if custom := _CUSTOM_OP.search(text):
        if custom[1] == EDGE_TPU_OPERATOR:
            return (
                "it is compiled for the Edge TPU, whose delegate is not loaded",
                "Use the file without _edgetpu, or run it on a board whose profile has an Edge TPU",
            )
        return (
            f"it needs the custom operator {custom[1]}, which this runtime does not have",
            "Convert the model with built-in operators only",
        )
    if "quantized_dimension must be" in text:
        count = text.count("invalid quantization parameters")
        problem = f"{count} of its tensors have a quantized_dimension that this runtime refuses"
        return problem, "Convert the model again with a current converter"
    if newer := _newer_operator(text):
        problem = f"it needs {newer}, which is newer than this runtime"
        return problem, "Update the runtime, or convert the model for an older one"
    if "flatbuffer" in text.lower() or "model identifier" in text:
        return "it is damaged, or no TFLite model", _COPY
    return one_line(text), "Check the model with the tool that made it"


def _newer_operator(text: str) -> str:
    if version := _NEWER_OP.search(text):
        return f"version {version[2]} of the operator {version[1]}"
    unknown = _UNKNOWN_OP.search(text)
    return f"the operator number {unknown[1]}" if unknown else ""
