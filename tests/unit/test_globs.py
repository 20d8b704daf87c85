import pytest

from fleet.globs import matches


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("http://a/", "http://a/"),
        ("*", ""),
        ("*", "http://a/?b=c"),
        ("http://a/*", "http://a/"),
        ("http://a/*", "http://a/b/c"),
        ("*.png", "http://a/b.png"),
        ("*/api/*", "http://a/api/1"),
        ("a*b*c", "abc"),
        ("a*b*c", "a-b-b-c"),
        ("a**c", "abc"),
        ("*?q=[1]", "http://[::1]/?q=[1]"),
    ],
)
def test_a_pattern_matches(pattern: str, text: str) -> None:
    assert matches(pattern, text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("http://a/", "http://a/b"),
        ("http://a/", "xhttp://a/"),
        ("", "a"),
        ("*.png", "a.png?x"),
        ("ab*ba", "aba"),
        ("a*b*c", "a-c-b"),
        ("a*c*c", "ac"),
        ("?", "a"),
        ("[ab]", "a"),
    ],
)
def test_a_pattern_does_not_match(pattern: str, text: str) -> None:
    assert not matches(pattern, text)
