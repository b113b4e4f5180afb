"""YAML with its lines."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rproxy.config.document import DocumentError, read_document

TEXT = """\
# a comment
clusters:
- name: main
  endpoints:
  - a:1
  - b:2
- {name: mirror,
   endpoints: [c:3]}
"""


@pytest.mark.parametrize(
    ("loc", "line"),
    [
        ((), 2),
        (("clusters",), 2),
        (("clusters", 0), 3),
        (("clusters", 0, "name"), 3),
        (("clusters", 0, "endpoints"), 4),
        (("clusters", 0, "endpoints", 1), 6),
        (("clusters", 1), 7),
        (("clusters", 1, "endpoints", 0), 8),
        (("clusters", 1, "missing"), 7),
        (("clusters", 1, "missing", "deeper", 3), 7),
        (("elsewhere",), 2),
    ],
)
def test_a_place_has_its_line_or_that_of_the_nearest_above(loc: tuple[str | int, ...], line: int) -> None:
    assert read_document(TEXT).line_of(loc) == line


def test_the_data_are_those_of_the_safe_loader() -> None:
    text = "a: &x {one: 1, two: [true, null, 1.5, 2020-01-01, text]}\nb: *x\nc: {<<: *x, one: 2}\n'1': '2'\n"
    assert read_document(text).data == yaml.safe_load(text)


def test_a_merged_key_may_be_overridden_and_has_the_line_of_its_text() -> None:
    document = read_document("a: &x\n  one: 1\nb:\n  one: 2\n  <<: *x\n")
    assert document.data["b"] == {"one": 2}
    assert document.problems == []
    assert document.line_of(("b", "one")) == 4


def test_a_repeated_key_is_a_problem_where_it_stands() -> None:
    document = read_document("a: 1\nb: {c: 1,\n  c: 2}\na: 3\n")
    assert [(problem.loc, problem.message) for problem in document.problems] == [
        (("a",), "is there twice, first on line 1"),
        (("b", "c"), "is there twice, first on line 2"),
    ]
    assert [document.line_of(problem.loc) for problem in document.problems] == [4, 3]


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n"])
def test_an_empty_document_has_no_data(text: str) -> None:
    assert read_document(text).data is None


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a:\n\tb: 1\n", 2, "a tab; YAML is indented with spaces"),
        ("a: *secret\n", 1, "an alias without its anchor; text that begins with * needs quotes"),
        ("a: 1\nb: !secret x\n", 2, "an unknown tag; text that begins with ! needs quotes"),
        ("a: !secret {}\n", 1, "an unknown tag; text that begins with ! needs quotes"),
        ("a: !!python/object:os.system {}\n", 1, "an unknown tag; text that begins with ! needs quotes"),
        ("a: 1\n---\nb: 2\n", 2, "a second document; a configuration is one"),
        ("a: b: c\n", 1, "a colon in the wrong place; text with ': ' in it needs quotes"),
        ("\naddress: [::]:6380\n", 2, 'an IPv6 address needs quotes, as in "[::1]:6380"'),
        ("a: 1\n? [b]\n: c\n", 2, "a key that is no text"),
        ("a: 2020-13-45\n", 1, "text that looks like a number or a date and is none; it needs quotes"),
        ("a: 1\nb: \x07\n", 2, "a character that YAML does not allow (#x0007)"),
        ("a: &a\n- *a\n", 1, "nested too deeply"),
        ("[" * 5000, 1, "nested too deeply"),
        ("a: [1, 2\n", 2, "expected ',' or ']', but got '<stream end>'"),
    ],
)
def test_what_is_no_yaml_is_told_in_one_line(text: str, line: int, message: str) -> None:
    with pytest.raises(DocumentError) as error:
        read_document(text)
    assert (error.value.line, str(error.value)) == (line, message)


@given(st.text(alphabet="ab:-?!&*[]{},|>'\"%@`#<~ \n\t1=.\\\0é", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        document = read_document(text)
    except DocumentError as error:
        line, problem = error.line, str(error)
    else:
        line, problem = document.line_of(()), "none"
    assert 1 <= line <= text.count("\n") + text.count("\x85") + 2
    assert problem
    assert "\n" not in problem
