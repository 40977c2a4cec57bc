"""The bundle's manifest: what ``manifest.json`` says of a model and the files beside it.

``parse`` reads untrusted bytes: sizes are bounded, unknown keys refused, and paths stay inside the bundle.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from agent.errors import ManifestInvalid
from agent.features.tables import Features, Normalise
from agent.imaging.placing import Resize
from agent.inputs import Called, Inputs

MAX_BYTES = 1 << 20
"""The largest manifest that is read."""
MAX_FILE_BYTES = MAX_MODEL_BYTES = 512 << 20
"""The largest file that a manifest may list, and the largest model that is loaded at all."""
MAX_FILES = 256
CHUNK_BYTES = 127 << 10
"""The size of a chunk where the manifest does not say: AWS IoT takes payloads of 128 KiB."""
MANIFEST = "manifest.json"
"""The name of the manifest's own file; its SHA-256 is the bundle's digest."""

_PART = r"[A-Za-z0-9_][A-Za-z0-9._-]*"

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Version = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+_-]{0,31}$")]
Task = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
RelativePath = Annotated[str, StringConstraints(pattern=rf"^{_PART}(?:/{_PART})*$", max_length=255)]
"""A path below the bundle's folder; no part of it starts with a dot, so none leads out."""
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Outputs = Annotated[dict[Task, Called], Field(max_length=64)]
"""Which output has which role."""
Line = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileEntry(_Part):
    """A file of the bundle: the hash that its bytes must have, and those of the chunks that it travels in.

    ``chunks`` holds the SHA-256 of each piece of ``chunk_size`` bytes, the last one shorter; it is empty
    where there is only one, whose hash is the file's own.
    """

    path: RelativePath
    sha256: Sha256
    size: int = Field(gt=0, le=MAX_FILE_BYTES)
    chunk_size: int = Field(default=CHUNK_BYTES, ge=1 << 10, le=1 << 20)
    chunks: tuple[Sha256, ...] = ()

    @property
    def hashes(self) -> tuple[str, ...]:
        """The SHA-256 of each chunk, in order."""
        return self.chunks or (self.sha256,)

    @model_validator(mode="after")
    def _chunks_fit(self) -> FileEntry:
        count = -(-self.size // self.chunk_size)
        if len(self.chunks) != (count if count > 1 else 0):
            raise ValueError(f"it has {len(self.chunks)} chunk hashes, and {self.size} bytes make {count}")
        return self


class Pre(_Part):
    """How a frame becomes the input tensor.

    Pictures: ``mean`` and ``std`` hold one number, or one per channel in the order of ``color``; a pixel x
    then means (x - mean) / std. Without both, see ``tensors.pixel_table``.

    Windows of samples: ``features`` are computed, then ``normalise`` is applied to what is there then. A
    model takes one or the other.

    ``inputs`` says what fills each input of a model that has several.

    ``resize`` is one of ``agent.imaging.placing``'s ways, with ``pad`` as a pixel's value in a letterbox's
    bars.
    """

    resize: Resize = "stretch"
    interpolation: Literal["linear", "area", "nearest", "cubic"] = "linear"
    pad: int | None = Field(default=None, ge=0, le=255)
    color: Literal["rgb", "bgr", "gray"] = "rgb"
    mean: tuple[Finite, ...] | None = Field(default=None, min_length=1, max_length=4)
    std: tuple[Positive, ...] | None = Field(default=None, min_length=1, max_length=4)
    features: Features | None = None
    normalise: Normalise | None = None
    inputs: Inputs = {}

    @property
    def of_windows(self) -> bool:
        """Whether windows of samples are meant."""
        return self.features is not None or self.normalise is not None

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> Pre:
        told = self.model_dump(exclude_defaults=True, exclude={"features", "normalise", "inputs"})
        if self.of_windows and told:
            raise ValueError(f"{', '.join(told)}: of pictures, and features and normalise are of windows")
        if self.pad is not None and self.resize != "letterbox":
            raise ValueError("pad: of letterbox, and resize is " + self.resize)
        return self


class Post(BaseModel):
    """The decoder's name, and its options beside it; the decoder checks those itself.

    ``outputs`` says which output has which role for the decoder.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    kind: Task
    outputs: Outputs = {}

    @property
    def options(self) -> dict[str, Any]:
        """What stands beside ``kind``."""
        return {**(self.model_extra or {}), **({"outputs": self.outputs} if self.outputs else {})}


class Golden(_Part):
    """An input, and what the model must make of it; see ``agent.golden`` for how the two are compared.

    ``input`` is a file of the bundle that the ``images`` source reads. ``expect`` holds the items of the
    result, each with the keys that matter, and ``tol`` says how far their numbers may be off: runtimes and
    processors round differently.
    """

    input: RelativePath
    expect: tuple[dict[str, Any], ...] = Field(max_length=200)
    tol: float = Field(gt=0, le=1)


class Tensor(_Part):
    """One input or output of the model, as the model file states it; see ``agent.types.TensorSpec``."""

    name: Annotated[str, StringConstraints(max_length=200)]
    dtype: Task
    shape: tuple[Annotated[int, Field(ge=0, lt=1 << 31)], ...] = Field(max_length=8)
    scale: tuple[Finite, ...] = Field(default=(), max_length=1 << 14)
    zero_point: tuple[int, ...] = Field(default=(), max_length=1 << 14)
    axis: int = Field(default=0, ge=0, lt=8)


class Contract(_Part):
    """What goes into the model and what comes out, in the file's order."""

    inputs: tuple[Tensor, ...] = Field(min_length=1, max_length=16)
    outputs: tuple[Tensor, ...] = Field(min_length=1, max_length=64)


class Requires(_Part):
    """What a device must have.

    ``agent`` is the lowest version of the agent, "" for any; ``arch`` holds names that ``uname -m`` gives,
    none for any.
    """

    agent: Annotated[str, StringConstraints(pattern=r"^([0-9]+(\.[0-9]+)*)?$", max_length=32)] = ""
    arch: tuple[Line, ...] = Field(default=(), max_length=16)
    ram_mb: int = Field(default=0, ge=0, le=1 << 20)
    disk_mb: int = Field(default=0, ge=0, le=1 << 20)


class Budget(_Part):
    """What the model may cost on a device; None where nothing is demanded.

    ``p95_ms`` bounds the 95th percentile of one inference, milliseconds; ``rss_mb`` the memory that the
    loaded model takes, 2^20 bytes.
    """

    p95_ms: Positive | None = None
    rss_mb: Positive | None = None


class Manifest(_Part):
    """A bundle, schema 2.

    ``files`` lists every file of the bundle but the manifest itself; the others name them by path. ``model``
    is what any CPU can run; ``variants`` holds files for accelerators, by the delegate's name, and as "small"
    one with the same golden answers for a CPU that is to do less. ``quantized``
    says that the model computes in integers of 8 or 16 bits. ``runtime`` is what the golden answers were
    recorded with; it is kept as it stands.
    """

    schema_: Literal[2] = Field(alias="schema")
    name: Name
    version: Version
    task: Task
    license: Line
    files: tuple[FileEntry, ...] = Field(min_length=1, max_length=MAX_FILES)
    model: RelativePath
    variants: dict[Task, RelativePath] = Field(default={}, max_length=16)
    labels: RelativePath | None = None
    io: Contract | None = None
    quantized: bool = False
    pre: Pre = Pre()
    post: Post | None = None
    requires: Requires = Requires()
    budget: Budget = Budget()
    golden: tuple[Golden, ...] = Field(default=(), max_length=64)
    runtime: dict[str, Any] | Line | None = None

    @model_validator(mode="after")
    def _names_its_files(self) -> Manifest:
        listed = [one.path for one in self.files]
        if len(set(listed)) != len(listed) or MANIFEST in listed:
            raise ValueError("files: a path is listed twice, or is the manifest's own")
        named = [self.model, *self.variants.values(), *(one.input for one in self.golden)]
        for path in [*named, *([self.labels] if self.labels else [])]:
            if path not in listed:
                raise ValueError(f"files: {path} is named, and not listed")
        return self

    def file(self, path: str) -> FileEntry:
        """Give the entry of a file that the manifest names."""
        return next(one for one in self.files if one.path == path)

    @property
    def size(self) -> int:
        """Bytes of all files together, without the manifest."""
        return sum(one.size for one in self.files)

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


def entry(path: str, content: bytes, chunk_size: int = CHUNK_BYTES) -> FileEntry:
    """Describe a file of a bundle that is being made.

    Args:
        path: below the bundle's folder.
        content: the file's bytes, at least one.
        chunk_size: bytes of the chunks that it will travel in.
    """
    cuts = range(0, len(content), chunk_size)
    chunks = tuple(hashlib.sha256(content[at : at + chunk_size]).hexdigest() for at in cuts)
    return FileEntry(
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        chunk_size=chunk_size,
        chunks=chunks if len(chunks) > 1 else (),
    )


def digest(data: bytes) -> str:
    """Give a bundle's digest: the SHA-256 of its manifest's bytes, 64 hex digits. It names the bundle."""
    return hashlib.sha256(data).hexdigest()


def _first(error: ValidationError) -> str:
    """Say in one line which key is wrong, and how many more are."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "the whole"
    more = error.error_count() - 1
    return f"{where}: {first['msg']}" + (f" (and {more} more)" if more else "")
