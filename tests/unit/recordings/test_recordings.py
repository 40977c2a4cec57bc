"""Recordings: what is written is read again, up to where it is cut short, and nothing else passes."""

from __future__ import annotations

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import InputRejected
from agent.recordings import documents
from agent.recordings.documents import FrameNote, Head, Outcome
from agent.recordings.members import END, member
from agent.recordings.reading import CUT, Reader
from agent.recordings.writing import Writer, with_results
from tests.simulators.recorded_results import RESULTS

HEAD = Head(agent="0.1.0", made="2026-11-26T12:00:00+00:00", source="camera", live=True)


def note(seq: int, suffix: str = ".npy") -> FrameNote:
    return FrameNote.model_validate({"seq": seq, "captured_ns": 1000 * seq, "suffix": suffix})


def recorded(datas: list[bytes], most: int = 1 << 20, *, ends: bool = True) -> bytes:
    file = io.BytesIO()
    writer = Writer(file, most)
    writer.begin(HEAD)
    for seq, data in enumerate(datas):
        writer.frame(note(seq), data)
    if ends:
        writer.end()
    return file.getvalue()


def judged(whole: bytes, outcomes: list[Outcome]) -> bytes:
    reader = Reader(io.BytesIO(whole), "r.tar")
    while reader.take() is not None:
        pass
    into = io.BytesIO()
    with_results(io.BytesIO(whole), reader.frames_end, into, RESULTS, outcomes)
    return into.getvalue()


def outcome(frame: int, *items: dict[str, object], kind: str = "classification") -> Outcome:
    return Outcome(frame=frame, kind=kind, items=list(items))


def read(whole: bytes) -> tuple[list[bytes], Reader]:
    reader = Reader(io.BytesIO(whole), "r.tar")
    found = []
    while (taken := reader.take()) is not None:
        found.append(reader.data(taken))
    return found, reader


@given(st.lists(st.binary(max_size=2000), max_size=6))
def test_frames_come_back_as_they_were(datas: list[bytes]) -> None:
    found, reader = read(recorded(datas))
    assert found == datas
    assert (reader.remark, reader.results, reader.head) == ("", None, HEAD)


@given(st.lists(st.binary(max_size=900), min_size=1, max_size=5), st.data())
def test_what_is_cut_short_anywhere_is_read_up_to_there(datas: list[bytes], data: st.DataObject) -> None:
    whole = recorded(datas)
    begins = len(member(documents.HEAD, documents.write(HEAD)))
    at = data.draw(st.integers(0, len(whole) - 1))
    if at < begins:
        with pytest.raises(InputRejected, match="cut short at its beginning"):
            Reader(io.BytesIO(whole[:at]), "r.tar")
        return
    found, reader = read(whole[:at])
    assert found == datas[: len(found)]
    assert reader.remark == (CUT if at < len(whole) - 512 else "")
    assert len(found) == len(datas) or at < len(whole) - len(END)


@given(st.data())
def test_a_flipped_bit_is_found_or_does_not_matter(data: st.DataObject) -> None:
    datas = [b"one" * 100, b"two" * 300]
    whole = bytearray(judged(recorded(datas), [outcome(0), outcome(1)]))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        found, reader = read(bytes(whole))
        list(reader.outcomes())
    except InputRejected:
        return
    assert found == datas[: len(found)]


def test_any_tool_for_tar_archives_reads_it() -> None:
    whole = judged(recorded([b"abc", b"de"]), [outcome(0)])
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        assert archive.getnames() == [
            "recording.json",
            "frames/0000000.json",
            "frames/0000000.npy",
            "frames/0000001.json",
            "frames/0000001.npy",
            "results.json",
            "results.ndjson",
        ]
        packed = archive.extractfile("frames/0000001.npy")
        assert packed is not None
        assert packed.read() == b"de"


def test_results_go_in_the_place_of_those_before() -> None:
    first = judged(recorded([b"abc"]), [outcome(0, {"score": 0.5})])
    second = judged(first, [outcome(0, {"score": 0.75})])
    assert len(second) == len(first)
    _, reader = read(second)
    assert reader.results == RESULTS
    assert list(reader.outcomes()) == [outcome(0, {"score": 0.75})]


def test_results_that_could_not_be_read_again_are_not_written() -> None:
    whole = recorded([b"abc"])
    results = RESULTS.model_copy(update={"decoder": {"names": ["x" * 1000] * 70}})
    into = io.BytesIO()
    with pytest.raises(InputRejected, match="65536 are allowed"):
        with_results(io.BytesIO(whole), len(whole), into, results, [])
    assert into.getvalue() == b""


def test_results_that_are_cut_short_are_none_and_the_frames_are_there() -> None:
    whole = judged(recorded([b"abc"]), [outcome(0)])
    found, reader = read(whole[: whole.index(b"results.ndjson") + 100])
    assert (found, reader.remark, reader.results, list(reader.outcomes())) == ([b"abc"], CUT, None, [])


def test_a_frame_that_does_not_fit_the_bound_is_not_written() -> None:
    file = io.BytesIO()
    writer = Writer(file, 10_000)
    writer.begin(HEAD)
    taken = [writer.frame(note(seq), bytes(2000)) for seq in range(6)]
    writer.end()
    assert taken == [True, True, False, False, False, False]
    assert len(file.getvalue()) == writer.bytes <= 10_000
    assert len(read(file.getvalue())[0]) == writer.frames == 2


def test_a_frame_that_failed_has_its_reason_and_no_file() -> None:
    file = io.BytesIO()
    writer = Writer(file, 1 << 20)
    writer.begin(HEAD)
    writer.frame(FrameNote(seq=0, captured_ns=5, problem="decode frame: it is damaged"))
    writer.end()
    taken = Reader(io.BytesIO(file.getvalue()), "r.tar").take()
    assert taken is not None
    assert (taken.data, taken.note.problem) == (None, "decode frame: it is damaged")


def archive(*members: bytes) -> bytes:
    return member(documents.HEAD, documents.write(HEAD)) + b"".join(members) + END


def link() -> bytes:
    info = tarfile.TarInfo("frames/0000000.json")
    info.type, info.linkname = tarfile.SYMTYPE, "/etc/shadow"
    return info.tobuf(tarfile.USTAR_FORMAT)


@pytest.mark.parametrize(
    ("whole", "problem"),
    [
        (b"no recording at all" * 100, "no header of a tar archive"),
        (b"", "cut short at its beginning"),
        (END, "no recording of this agent"),
        (member("other.json", b"{}") + END, "no recording of this agent"),
        (member(documents.HEAD, b"{}") + END, "agent: Field required"),
        (member(documents.HEAD, documents.write(HEAD).replace(b":1,", b":2,")) + END, "version"),
        (member(documents.HEAD, b" " * 70_000) + END, "70000 bytes, 65536 are allowed"),
        (member(documents.HEAD, b"[" * 60_000) + END, "recursion|JSON"),
        (archive(link()), "something else than a file"),
        (archive(member("../../etc/passwd", b"x")), "stands where frame 0 should"),
        (archive(member("frames/0000001.json", documents.write(note(1)))), "stands where frame 0 should"),
        (
            archive(member("frames/0000000.json", documents.write(note(0))), member("frames/x.npy", b"")),
            "stands where frame 0 should",
        ),
        (archive(member("frames/0000000.json", b'{"seq": -1}')), "seq"),
        (archive(member("results.json", b"{}")), "made: Field required"),
        (
            archive(member("results.json", documents.write(RESULTS)), member("other", b"")),
            "stands where results should",
        ),
        (
            archive(member("results.json", documents.write(RESULTS)), member("results.ndjson", b"{}")),
            "too long or cut short",
        ),
        (
            archive(
                member("results.json", documents.write(RESULTS)),
                member("results.ndjson", b" " * 70_000 + b"\n"),
            ),
            "too long or cut short",
        ),
    ],
)
def test_what_is_no_recording_is_refused_in_one_line(whole: bytes, problem: str) -> None:
    def through() -> None:
        _, reader = read(whole)
        list(reader.outcomes())

    with pytest.raises(InputRejected, match=problem) as caught:
        through()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_damaged_frame_fails_alone() -> None:
    whole = recorded([b"a" * 600, b"b" * 600])
    reader = Reader(io.BytesIO(whole.replace(b"aaaa", b"aaAa", 1)), "r.tar")
    first, second = reader.take(), reader.take()
    assert first is not None
    assert second is not None
    with pytest.raises(InputRejected, match="not the one that was recorded"):
        reader.data(first)
    assert reader.data(second) == b"b" * 600


def test_results_of_frames_that_are_not_there_are_refused() -> None:
    for outcomes in ([outcome(2)], [outcome(0)] * 3):
        _, reader = read(judged(recorded([b"a", b"b"]), outcomes))
        with pytest.raises(InputRejected, match="is one too many: it has 2 frames"):
            list(reader.outcomes())


def test_a_model_that_no_path_can_name_is_refused() -> None:
    about = documents.write(RESULTS).replace(b'"glyphs"', b'"gly\\u0000phs"')
    with pytest.raises(InputRejected, match="path: String should match"):
        read(recorded([b"a"], ends=False) + member(documents.RESULTS, about))
