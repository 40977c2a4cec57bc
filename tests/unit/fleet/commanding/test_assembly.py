from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.documents import part
from agent.documents.outcome import Attached
from agent.errors import MessageInvalid
from agent.fleet.commanding.assembly import Assembly
from agent.trust.signing import Signer, Verifier, generate

if TYPE_CHECKING:
    from collections.abc import Iterator

ID = "0123456789abcdef"
PRIVATE, PUBLIC = generate()
KEY, VERIFIER = Signer.from_pem(PRIVATE), Verifier.from_pem(PUBLIC)
FOREIGN = Signer.from_pem(generate()[0])


def content_of(parts: int) -> bytes:
    return hashlib.shake_128(bytes([parts])).digest((parts - 1) * part.PART_BYTES + 1000)


CONTENTS = {parts: content_of(parts) for parts in (1, 2, 3)}


def told(content: bytes, name: str = "picture.jpg") -> Attached:
    digest = hashlib.sha256(content).hexdigest()
    return Attached(name=name, bytes=len(content), sha256=digest, parts=part.parts_of(len(content)))


def message(content: bytes, n: int, *, signer: Signer | None = KEY, **other: object) -> bytes:
    of = part.parts_of(len(content))
    digest = hashlib.sha256(content).hexdigest()
    header = part.Header(fleet="f", device="d", command=ID, file="picture.jpg", n=n, of=of, sha256=digest)
    body = content[n * part.PART_BYTES : (n + 1) * part.PART_BYTES]
    return part.encode(header.model_copy(update=other), body, signer)


def assembly(folder: Path) -> Assembly:
    return Assembly(folder, fleet="f", device="d", command=ID, verifier=VERIFIER)


LIES = st.sampled_from(["foreign", "unsigned", "other command", "other file", "other hash", "short", "noise"])


def lie(kind: str, content: bytes, n: int) -> bytes:
    lies: dict[str, dict[str, object]] = {
        "foreign": {"signer": FOREIGN},
        "unsigned": {"signer": None},
        "other command": {"command": "another-command"},
        "other file": {"file": "passwd"},
        "other hash": {"sha256": "0" * 64},
    }
    if kind == "short":
        digest = hashlib.sha256(content).hexdigest()
        short = content[: n * part.PART_BYTES + 10]
        return message(short, n, of=part.parts_of(len(content)), sha256=digest)
    return message(content, n, **lies[kind]) if kind in lies else b"\x00\x00\x05hello"  # type: ignore[arg-type]


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[tuple[str, int]], int]:
    """A content, what comes of it in which order, and after how much of that the outcome comes."""
    parts = draw(st.integers(1, 3))
    events = draw(st.lists(st.tuples(st.just("part") | LIES, st.integers(0, parts - 1)), max_size=10))
    return CONTENTS[parts], events, draw(st.integers(0, len(events)))


@given(streams())
def test_a_file_is_whole_when_all_its_parts_came_in_any_order_beside_any_lies(
    stream: tuple[bytes, list[tuple[str, int]], int],
) -> None:
    content, events, outcome_at = stream
    with TemporaryDirectory() as name:
        folder = Path(name, "out")
        ours = assembly(folder)
        came = set()
        for at, (kind, n) in enumerate(events):
            if at == outcome_at:
                ours.expect([told(content)])
            ours.take(message(content, n) if kind == "part" else lie(kind, content, n))
            came |= {n} if kind == "part" else set()
        ours.expect([told(content)])
        whole = set(range(part.parts_of(len(content))))
        assert ours.missing() == ({} if came >= whole else {"picture.jpg": tuple(sorted(whole - came))})
        assert ours.complete == (came >= whole)
        ours.close()
        files = {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}
        assert files == ({"d-picture.jpg": content} if came >= whole else {})


def test_a_part_that_lies_beside_a_good_signature_spoils_only_this_try(tmp_path: Path) -> None:
    content = CONTENTS[2]
    ours = assembly(tmp_path)
    ours.expect([told(content)])
    false = bytes(len(content))
    digest = hashlib.sha256(content).hexdigest()
    ours.take(message(false, 0, sha256=digest))
    assert ours.take(message(content, 1)) is None
    assert (ours.refused["hash"], ours.missing()) == (2, {"picture.jpg": (0, 1)})
    ours.take(message(content, 0))
    path = ours.take(message(content, 1))
    assert path is not None
    assert path.read_bytes() == content


def test_a_file_that_is_there_already_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "d-picture.jpg").write_text("mine")
    ours = assembly(tmp_path)
    ours.expect([told(CONTENTS[1])])
    path = ours.take(message(CONTENTS[1], 0))
    assert path == tmp_path / "d-picture-2.jpg"
    assert (tmp_path / "d-picture.jpg").read_text() == "mine"


def test_a_file_that_the_device_has_lost_is_told_and_not_waited_for(tmp_path: Path) -> None:
    ours = assembly(tmp_path)
    ours.expect([told(CONTENTS[2])])
    ours.take(message(CONTENTS[2], 0))
    ours.take(message(CONTENTS[2], 0, gone=True))
    assert (ours.gone, ours.missing(), ours.complete) == (("picture.jpg",), {}, True)


def test_parts_before_their_outcome_are_bounded(tmp_path: Path) -> None:
    ours = assembly(tmp_path)
    for _ in range(20):
        ours.take(message(CONTENTS[1], 0))
    assert ours.refused["early"] == 4


def outcomes_that_lie() -> Iterator[list[Attached]]:
    one = told(CONTENTS[1])
    yield [one, one]
    yield [one.model_copy(update={"parts": 7})]
    yield [one.model_copy(update={"bytes": part.MAX_FILE + 1, "parts": part.parts_of(part.MAX_FILE + 1)})]
    large = one.model_copy(update={"bytes": part.MAX_FILE, "parts": part.parts_of(part.MAX_FILE)})
    yield [large.model_copy(update={"name": str(n)}) for n in range(3)]


@pytest.mark.parametrize("files", list(outcomes_that_lie()))
def test_an_outcome_whose_files_cannot_be_is_refused(tmp_path: Path, files: list[Attached]) -> None:
    with pytest.raises(MessageInvalid, match="too large, doubled, or cut"):
        assembly(tmp_path).expect(files)
