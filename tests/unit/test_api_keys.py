import pytest

from fleet.api_keys import ApiKey, parse_api_keys

_KEY = "0123456789abcdef"
_OTHER_KEY = "fedcba9876543210"


def test_without_a_word_there_are_no_keys() -> None:
    assert parse_api_keys("") == ()


def test_each_entry_is_a_name_and_a_key() -> None:
    assert parse_api_keys(f"ci:{_KEY},ops:{_OTHER_KEY}") == (ApiKey("ci", _KEY), ApiKey("ops", _OTHER_KEY))


def test_a_key_may_be_an_operators() -> None:
    assert [key.is_admin for key in parse_api_keys(f"ci:{_KEY},ops:{_OTHER_KEY}:admin")] == [False, True]


@pytest.mark.parametrize("text", [f" ci:{_KEY} , ops:{_OTHER_KEY}\n", f"ci:{_KEY},,ops:{_OTHER_KEY},"])
def test_white_space_and_empty_entries_are_nothing(text: str) -> None:
    assert [key.name for key in parse_api_keys(text)] == ["ci", "ops"]


@pytest.mark.parametrize("key", ["x" * 16, "x" * 256, "!\"#$%&'()*+-./;<=>?@[]^_`{|}~\\"])
def test_a_key_is_any_visible_ascii(key: str) -> None:
    assert parse_api_keys(f"ci:{key}")[0].key == key


@pytest.mark.parametrize("key", ["", "x" * 15, "x" * 257, "0123456789 abcdef", "0123456789abcdé", "0123456789\tabcdef"])
def test_a_key_of_another_shape_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="entry 1: its key"):
        parse_api_keys(f"ci:{key}")


@pytest.mark.parametrize("name", ["", "a b", "é", "a/b", "x" * 65])
def test_a_name_of_another_shape_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="entry 1: its name"):
        parse_api_keys(f"{name}:{_KEY}")


@pytest.mark.parametrize(
    "entry", [_KEY, f"ci:{_KEY}:", f"ci:{_KEY}:root", f"ci:{_KEY}:Admin", f"ci:{_KEY}:admin:admin"]
)
def test_an_entry_of_another_shape_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="entry 2: must be name:key"):
        parse_api_keys(f"ops:{_OTHER_KEY},{entry}")


@pytest.mark.parametrize("text", [f"ci:{_KEY},ci:{_OTHER_KEY}", f"ci:{_KEY},ops:{_KEY}"])
def test_no_two_share_a_name_or_a_key(text: str) -> None:
    with pytest.raises(ValueError, match="two entries have the same"):
        parse_api_keys(text)


def test_there_are_no_more_than_a_request_can_be_compared_with() -> None:
    with pytest.raises(ValueError, match="more than 1000"):
        parse_api_keys(",".join(f"n{number}:{_KEY}{number}" for number in range(1001)))


def test_a_key_is_not_written_out() -> None:
    assert _KEY not in repr(parse_api_keys(f"ci:{_KEY}"))
