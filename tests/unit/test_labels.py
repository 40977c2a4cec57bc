"""Label files, plain and numbered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import labels
from agent.errors import ModelInvalid
from agent.labels import Labels


def names(text: str) -> tuple[str, ...]:
    return labels.parse(text.encode()).names


def test_a_plain_file_names_one_class_a_line() -> None:
    assert names("cat\ndog, hound\n") == ("cat", "dog, hound")


def test_an_empty_line_keeps_its_place() -> None:
    assert names("cat\n\ndog\n\n\n") == ("cat", "class 1", "dog")


@pytest.mark.parametrize("text", ["0 cat\n2  dog", "2: dog\n0: cat\n", "0:cat\n\n2 dog\n"])
def test_numbered_lines_say_which_class_is_meant(text: str) -> None:
    assert names(text) == ("cat", "class 1", "dog")


@pytest.mark.parametrize("text", ["0 cat\ndog", "0\n1\n2"])
def test_lines_are_plain_when_one_of_them_has_no_number_and_name(text: str) -> None:
    assert names(text) == tuple(text.split("\n"))


def test_a_byte_order_mark_and_windows_line_ends_are_fine() -> None:
    assert labels.parse("\ufeffcat\r\nchien d'été\r\n".encode()).names == ("cat", "chien d'été")


def test_an_empty_file_has_no_labels() -> None:
    assert names("") == names("\n \n") == ()


def test_a_class_without_a_label_is_named_by_its_index() -> None:
    assert [Labels(("cat",)).name(index) for index in (-1, 0, 1)] == ["class -1", "cat", "class 1"]


def test_what_would_steer_a_terminal_is_blanked_out() -> None:
    assert names("c\x1b[31mat\x07") == ("c\ufffd[31mat\ufffd",)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"cat\nd\xe9g", "line 2 is not UTF-8"),
        (b"cat\n" + b"x" * 201, "line 2 has 201 characters"),
        (b"x\n" * 100_001, "there are 100001 labels"),
        (b"100000 cat", "index 100000 is too high"),
        (b"1 cat\n1 dog", "index 1 comes twice"),
        (b" " * (labels.MAX_BYTES + 1), "too many"),
    ],
)
def test_a_bad_file_is_refused_and_told_where(data: bytes, problem: str) -> None:
    with pytest.raises(ModelInvalid, match=problem) as caught:
        labels.parse(data, "coco.txt")
    assert caught.value.subject == "coco.txt"
    assert caught.value.hint


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_give_printable_labels_or_an_error_of_one_line(data: bytes) -> None:
    try:
        lines = labels.parse(data).names
    except ModelInvalid as error:
        lines = (str(error),)
    assert all(line and line.isprintable() for line in lines)
