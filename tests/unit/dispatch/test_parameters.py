import pytest

from rproxy.dispatch.parameters import integer

NO_INTEGER = "argument couldn't be parsed into an integer"


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("7", 7), ("2147483647", 2147483647)])
def test_a_number_in_its_range(text: str, number: int) -> None:
    assert integer(text) == number


@pytest.mark.parametrize("text", ["", "x", "1.5", " 1", "+1", "01", "-0", "--1", "²", "٣", "\udc80", "9" * 5000])
def test_what_is_no_number_is_told_in_words_of_redis(text: str) -> None:
    with pytest.raises(ValueError, match="^" + NO_INTEGER + "$"):
        integer(text)


@pytest.mark.parametrize(
    ("text", "least", "most"), [("-1", 0, 10), ("11", 0, 10), ("-2", -1, 10), ("2147483648", 0, 2147483647)]
)
def test_a_number_out_of_its_range_is_told_with_the_range(text: str, least: int, most: int) -> None:
    with pytest.raises(ValueError, match=f"^argument must be between {least} and {most} inclusive$"):
        integer(text, least, most)
