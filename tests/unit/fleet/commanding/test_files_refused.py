"""A file that does not come is told with what came in its place."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from agent.documents import part
from agent.documents.outcome import Attached, Outcome
from agent.fleet.commanding import shown
from agent.fleet.commanding.files import Files
from agent.fleet.commanding.gathering import Result
from agent.fleet.keys import DEVICES, DeviceKeys
from agent.trust.signing import Signer, generate

if TYPE_CHECKING:
    from pathlib import Path

ID = "snapshot-0001"


def test_parts_that_are_of_no_use_are_counted_and_told(tmp_path: Path) -> None:
    private, public = generate()
    stranger = Signer.from_pem(generate()[0])
    digest = hashlib.sha256(b"picture").hexdigest()
    told = Attached(name="a.jpg", bytes=7, sha256=digest, parts=1)
    done = Outcome(fleet="f", device="d", id=ID, op="snapshot", state="done", at=1, files=(told,))
    header = part.Header(fleet="f", device="d", command=ID, file="a.jpg", n=0, of=1, sha256=digest)
    (tmp_path / DEVICES).mkdir()
    (tmp_path / DEVICES / "d.pub").write_bytes(public)
    out = tmp_path / "out"
    files = Files(out, "f", ID, ["d"], DeviceKeys(tmp_path))
    files.expect("d", done)
    files.take("d", part.encode(header, b"picture", stranger))
    files.take("d", part.encode(header, b"forgery", Signer.from_pem(private)))
    assert files.refused("d") == {"signature": 1, "hash": 1}
    found = Result("d", done, lacking=tuple(files.lacking("d")), refused=files.refused("d"))
    assert "did not come: a.jpg; parts of no use: 1 hash, 1 signature" in shown.words([found])
    files.close()
    assert not list(out.iterdir())
