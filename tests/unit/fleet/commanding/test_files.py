from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from agent.documents import part
from agent.documents.outcome import Attached, Outcome
from agent.fleet.commanding.files import Files
from agent.fleet.keys import DEVICES, DeviceKeys
from agent.trust.signing import Signer, generate

if TYPE_CHECKING:
    from pathlib import Path

PRIVATE, PUBLIC = generate()
CONTENT = b"a picture"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def files(folder: Path) -> Files:
    (folder / DEVICES).mkdir()
    (folder / DEVICES / "d.pub").write_bytes(PUBLIC)
    return Files(folder / "out", "f", "0123456789abcdef", ["d"], DeviceKeys(folder))


def message() -> bytes:
    header = part.Header(
        fleet="f", device="d", command="0123456789abcdef", file="a.jpg", n=0, of=1, sha256=DIGEST
    )
    return part.encode(header, CONTENT, Signer.from_pem(PRIVATE))


def done() -> Outcome:
    told = Attached(name="a.jpg", bytes=len(CONTENT), sha256=DIGEST, parts=1)
    return Outcome(
        fleet="f", device="d", id="0123456789abcdef", op="snapshot", state="done", files=(told,), at=1
    )


def test_a_part_that_comes_before_the_outcome_is_not_waited_for_again(tmp_path: Path) -> None:
    coming = files(tmp_path)
    coming.take("d", message())
    assert coming.over
    coming.expect("d", done())
    assert coming.over
    assert [path.read_bytes() for path in coming.whole("d")] == [CONTENT]


def test_what_devices_send_that_were_not_asked_is_let_go_by(tmp_path: Path) -> None:
    coming = files(tmp_path)
    coming.take("e", message())
    assert coming.over
    assert not (tmp_path / "out").exists()
