"""Labels that a model's maker has packed into the file: in a zip archive that is appended to it."""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING

from agent import labels as label_files
from agent.errors import ModelInvalid
from agent.labels import Labels

if TYPE_CHECKING:
    from pathlib import Path

_END, _END_BYTES = b"PK\x05\x06", 22 + 65535
"""What an archive's last record begins with, and its most bytes with the comment (APPNOTE.TXT 4.3.16)."""


def packed_labels(data: bytes, path: Path, name: str = "") -> Labels:
    """Read the labels in the zip archive at the end of ``data``; none where there is no archive.

    Args:
        data: the model file's bytes.
        path: the model file, for errors.
        name: the labels' file, where the model says it; else it is the first text, "label" in its name first.

    Raises:
        ModelInvalid: the archive is damaged, or the labels are no text of names.
    """
    if _END not in data[-_END_BYTES:]:
        return Labels()
    import zipfile  # with its compressors and copiers half a megabyte, which few models need

    if not zipfile.is_zipfile(io.BytesIO(data)):
        return Labels()
    compressions = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            texts = [
                entry
                for entry in archive.infolist()
                if entry.filename.endswith(".txt") and entry.compress_type in compressions
            ]
            if not texts:
                return Labels()
            best = min(texts, key=lambda entry: (entry.filename != name, "label" not in entry.filename))
            with archive.open(best) as packed:
                text = packed.read(label_files.MAX_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, ValueError, OSError, EOFError) as error:
        hint = "Copy it again, or give the labels as a file"
        raise ModelInvalid("load model", str(path), f"the labels packed in it: {error}", hint) from error
    return label_files.parse(text, f"{path}:{best.filename}")
