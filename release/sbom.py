"""What a device's installation holds, as a bill of materials in CycloneDX 1.6: ``python -m release.sbom``.

One for each Debian release and machine, since wheels differ. It names each distribution with its version,
licence, package URL and the hash of its wheel, the native libraries that wheels bring along, and the bundled
models. What Debian brings (Python, glibc) is Debian's to list. The same checkout gives the same bytes: the
serial number is made of what it says, the time is that of the last commit. Source of the format:
https://cyclonedx.org/docs/1.6/json/.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.lifecycle import LifecyclePhase, PredefinedLifecycle
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from release import contents
from release.source import HERE, ReleaseFailed, Source
from release.target import DEBIANS, MACHINES, Target, targets
from release.wheels import build, gathered

if TYPE_CHECKING:
    from collections.abc import Sequence

_LICENCES = LicenseFactory()


def bom(source: Source, target: Target, wheels: Sequence[contents.Wheel]) -> Bom:
    """List an installation.

    Args:
        source: the release.
        target: where it is installed.
        wheels: all that are installed; the agent's own first.
    """
    agent, *others = wheels
    listed = {wheel.name: _distribution(wheel, ComponentType.LIBRARY) for wheel in others}
    listed[agent.name] = _distribution(agent, ComponentType.APPLICATION)
    metadata = BomMetaData(
        component=listed[agent.name],
        timestamp=datetime.fromtimestamp(source.epoch, UTC),
        lifecycles=[PredefinedLifecycle(LifecyclePhase.BUILD)],
        properties=[
            Property(name="edge-agent:architecture", value=target.arch),
            Property(name="edge-agent:python", value=target.python),
            Property(name="edge-agent:data-folder", value=str(source.data_folder)),
        ],
    )
    models = [_model(model) for wheel in wheels for model in wheel.models]
    made = Bom(components=[listed[wheel.name] for wheel in others] + models, metadata=metadata)
    for wheel in wheels:
        needed: list[Component] = [listed[name] for name in wheel.needs if name in listed]
        made.register_dependency(listed[wheel.name], [*needed, *(models if wheel is agent else [])])
    return made


def written(made: Bom) -> bytes:
    """Write a list; it is checked against the format's schema first.

    Raises:
        ReleaseFailed: it does not fit the schema.
    """
    made.serial_number = uuid.UUID(int=0)
    digest = hashlib.sha256(JsonV1Dot6(made).output_as_string().encode()).digest()
    made.serial_number = uuid.UUID(bytes=digest[:16], version=4)
    text = JsonV1Dot6(made).output_as_string(indent=2)
    if wrong := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise ReleaseFailed("write SBOM", "CycloneDX 1.6", str(wrong)[:500])
    return text.encode() + b"\n"


def _distribution(wheel: contents.Wheel, kind: ComponentType) -> Component:
    purl = PackageURL("pypi", name=wheel.name, version=wheel.version)
    return Component(
        name=wheel.name, version=wheel.version, type=kind, purl=purl, bom_ref=str(purl),
        description=wheel.summary, hashes=[_sha256(wheel.file)],
        licenses=[_LICENCES.make_from_string(wheel.licence)] if wheel.licence else None,
        properties=[Property(name="edge-agent:wheel", value=wheel.file.path)],
        components=[_library(file, str(purl)) for file in wheel.libraries],
    )  # fmt: skip


def _library(file: contents.File, inside: str) -> Component:
    reference = f"{inside}#{file.path}"
    return Component(name=file.path, type=ComponentType.FILE, bom_ref=reference, hashes=[_sha256(file)])


def _model(model: contents.Model) -> Component:
    return Component(
        name=model.name, version=model.version, type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=f"model:{model.name}@{model.version}", hashes=[_sha256(model.file)],
        licenses=[_LICENCES.make_from_string(model.licence)],
        properties=[Property(name="edge-agent:file", value=model.file.path)],
    )  # fmt: skip


def _sha256(file: contents.File) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=file.sha256)


def put(source: Source, target: Target, own: Path, out: Path) -> Path:
    """Write the list of an installation into a folder; give the file.

    Args:
        source: the release.
        target: where it is installed.
        own: the agent's wheel.
        out: the folder.

    Raises:
        ReleaseFailed: a wheel of others is not to be had.
    """
    wheels = [contents.read(path, target.markers) for path in [own, *gathered(target, source.lock)]]
    path = out / f"edge-agent_{source.version}_{target.name}.cdx.json"
    path.write_bytes(written(bom(source, target, wheels)))
    return path


def main(arguments: list[str] | None = None) -> int:
    """Write the lists; give the exit code."""
    parser = argparse.ArgumentParser(
        prog="release.sbom", description="List what installations hold, as CycloneDX."
    )
    parser.add_argument("--arch", action="append", choices=MACHINES, help="a machine; all when left out")
    parser.add_argument("--python", action="append", choices=DEBIANS, help="a Python; all when left out")
    parser.add_argument("--out", type=Path, default=HERE / "dist", metavar="DIR", help="default dist")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parsed = parser.parse_args(arguments)
    source = Source(HERE)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            [own] = build(source, Path(scratch), only="wheel")
            parsed.out.mkdir(parents=True, exist_ok=True)
            wanted = targets(parsed.arch, parsed.python)
            made = [put(source, target, own, parsed.out) for target in wanted]
    except ReleaseFailed as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(json.dumps([str(path) for path in made]) if parsed.json else "\n".join(map(str, made)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
