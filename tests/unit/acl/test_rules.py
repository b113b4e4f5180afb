"""Rules in the notation of ACL SETUSER: what is refused, in Redis's words, and what is never shown."""

import pytest

from rproxy.acl.rules import RuleError, masked_rules, split_rules, user_of

UNKNOWN = "Unknown command or category name in ACL"
HASH = "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("+nope", f"'+nope': {UNKNOWN}"),
        ("-@nope", f"'-@nope': {UNKNOWN}"),
        ("+config|nope", f"'+config|nope': {UNKNOWN}"),
        ("-select|1", f"'-select|1': {UNKNOWN}"),
        ("+set|x|y", f"'+set|x|y': {UNKNOWN}"),
        ("+get|", "'+get|': Syntax error"),
        ("+config|get|x", "'+config|get|x': Allowing first-arg of a subcommand is not supported"),
        ("%X~a", "'%X~a': Syntax error"),
        ("%~a", "'%~a': Syntax error"),
        ("~* ~a", "'~a': Adding a pattern after the * pattern"),
        ("&* &a", "'&a': Adding a pattern after the * pattern"),
        ("on secret", "rule 2: Syntax error"),
        ("on (+get secret)", "rule 2: Syntax error"),
        ("on (+get secret", "Unmatched parenthesis in acl selector"),
        ("#secret", f"rule 1: {HASH}"),
        (f"#{'A' * 64}", f"rule 1: {HASH}"),
        ("!secret", f"rule 1: {HASH}"),
        ("on <secret", "rule 2: The password you are trying to remove from the user does not exist"),
    ],
)
def test_a_rule_that_makes_no_sense_is_named_unless_it_may_be_a_password(rules: str, message: str) -> None:
    with pytest.raises(RuleError) as error:
        user_of("someone", rules)
    assert str(error.value).startswith(message)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("rules", "single"),
    [
        ("  on   +get ", ["on", "+get"]),
        ("( +get ) on (+set ~a)", ["( +get )", "on", "(+set ~a)"]),
        ("() (+get)", ["()", "(+get)"]),
    ],
)
def test_a_selector_is_one_rule(rules: str, single: list[str]) -> None:
    assert list(split_rules(rules)) == single


def test_words_are_read_in_any_case_and_reset_begins_anew() -> None:
    user = user_of("app", "ON NOPASS AllKeys ALLCHANNELS +@ALL (+get) sanitize-payload")
    assert str(user) == "user app on nopass sanitize-payload ~* &* +@all (resetchannels -@all +get)"
    assert str(user_of("app", "on >pw ~* &* +@all (+get) reset")) == (
        "user app off sanitize-payload resetchannels -@all"
    )
    assert str(user_of("app", "(+get) clearselectors ~* resetkeys ~b &* resetchannels &c")) == (
        "user app off ~b resetchannels &c -@all"
    )


def test_rules_are_shown_without_passwords_and_hashes() -> None:
    assert masked_rules("on >pw #abc <pw !abc ~a>b #x (~c +get)") == (
        "on >******** #******** <******** !******** ~a>b #******** (~c +get)"
    )
