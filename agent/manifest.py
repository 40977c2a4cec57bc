"""The bundle's manifest: what ``manifest.json`` says of a model and the files beside it.

``parse`` reads untrusted bytes: sizes are bounded, unknown keys refused, and paths stay inside the bundle.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from agent.errors import ManifestInvalid

MAX_BYTES = 1 << 20
"""The largest manifest that is read."""
MAX_MODEL_BYTES = 512 << 20
"""The largest model file that a manifest may name, and that is loaded at all."""

_PART = r"[A-Za-z0-9_][A-Za-z0-9._-]*"

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Version = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+_-]{0,31}$")]
Task = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
RelativePath = Annotated[str, StringConstraints(pattern=rf"^{_PART}(?:/{_PART})*$", max_length=255)]
"""A path below the bundle's folder; no part of it starts with a dot, so none leads out."""
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileRef(_Part):
    """A file of the bundle, and the hash that its bytes must have."""

    path: RelativePath
    sha256: Sha256


class ModelRef(FileRef):
    """The model file; ``size`` is in bytes."""

    size: int = Field(gt=0, le=MAX_MODEL_BYTES)


class Pre(_Part):
    """How a picture becomes the input tensor.

    ``mean`` and ``std`` hold one number, or one per channel in the order of ``color``; a pixel x then
    means (x - mean) / std. Without both, see ``tensors.pixel_table``.
    """

    resize: Literal["stretch"] = "stretch"
    color: Literal["rgb", "bgr", "gray"] = "rgb"
    mean: tuple[Finite, ...] | None = Field(default=None, min_length=1, max_length=4)
    std: tuple[Positive, ...] | None = Field(default=None, min_length=1, max_length=4)


class Post(BaseModel):
    """The decoder's name, and its options beside it; the decoder checks those itself."""

    model_config = ConfigDict(extra="allow", frozen=True)

    kind: Task

    @property
    def options(self) -> dict[str, Any]:
        """What stands beside ``kind``."""
        return dict(self.model_extra or {})


class Golden(_Part):
    """An input, and what the model must make of it; see ``agent.golden`` for how the two are compared.

    ``input`` is a file of the bundle that the ``images`` source reads, ``sha256`` its hash. ``expect`` holds
    the items of the result, each with the keys that matter, and ``tol`` says how far their numbers may be
    off: runtimes and processors round differently.
    """

    input: RelativePath
    sha256: Sha256
    expect: tuple[dict[str, Any], ...] = Field(max_length=200)
    tol: float = Field(gt=0, le=1)


class Manifest(_Part):
    """A bundle, schema 1.

    ``runtime`` is what the golden answers were recorded with; it is kept as it stands.
    """

    schema_: Literal[1] = Field(alias="schema")
    name: Name
    version: Version
    task: Task
    license: Line
    model: ModelRef
    labels: FileRef | None = None
    pre: Pre = Pre()
    post: Post | None = None
    golden: tuple[Golden, ...] = Field(default=(), max_length=64)
    runtime: dict[str, Any] | Line | None = None

    @property
    def decoder(self) -> str:
        """The name of the decoder: ``post.kind``, or the task where there is no ``post``."""
        return self.post.kind if self.post else self.task


def parse(data: bytes, subject: str = "manifest.json") -> Manifest:
    """Read a manifest.

    Args:
        data: the file's bytes.
        subject: what an error calls the file.

    Raises:
        ManifestInvalid: no JSON, too large, or a key that is missing, unknown or wrong.
    """
    if len(data) > MAX_BYTES:
        raise ManifestInvalid("read manifest", subject, f"{len(data)} bytes are more than {MAX_BYTES}")
    try:
        return Manifest.model_validate_json(data, strict=True)
    except ValidationError as error:
        raise ManifestInvalid("read manifest", subject, _first(error), "Make the bundle again") from error


def _first(error: ValidationError) -> str:
    """Say in one line which key is wrong, and how many more are."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "the whole"
    more = error.error_count() - 1
    return f"{where}: {first['msg']}" + (f" (and {more} more)" if more else "")
