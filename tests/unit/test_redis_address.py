import pytest

from fleet.redis_address import RedisBySentinels, broker


@pytest.mark.parametrize("url", ["redis://127.0.0.1:6379/0", "rediss://user:secret@redis.example"])
def test_an_address_is_no_sentinel_s(url: str) -> None:
    assert RedisBySentinels.parse(url) is None
    assert broker(url) == (url, {})


def test_sentinels_are_named_with_the_master_that_they_know() -> None:
    url = "redis+sentinel://user:s%2Fcret@one:26379,two:26380/fleet/3"
    expected = RedisBySentinels((("one", 26379), ("two", 26380)), "fleet", 3, "user", "s/cret")
    assert RedisBySentinels.parse(url) == expected
    assert broker(url) == (
        "sentinel://user:s%2Fcret@one:26379/3;sentinel://user:s%2Fcret@two:26380/3",
        {"master_name": "fleet"},
    )


def test_login_and_database_may_be_missing() -> None:
    url = "redis+sentinel://one:26379/fleet"
    assert RedisBySentinels.parse(url) == RedisBySentinels((("one", 26379),), "fleet", 0, None, None)
    assert broker(url)[0] == "sentinel://one:26379/0"


@pytest.mark.parametrize(
    "url", ["redis+sentinel://one:26379", "redis+sentinel://one/fleet", "redis+sentinel:///fleet", "http://one", ""]
)
def test_what_names_neither_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"redis\+sentinel://"):
        RedisBySentinels.parse(url)
