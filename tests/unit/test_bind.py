import pytest

from app.bind import refuse_open_bind
from fleet.bind import is_loopback

_OPEN = [
    "0.0.0.0:8080",
    "[::]:8080",
    ":8080",
    "192.168.1.5:80",
    "fleet.example:80",
    "localhost.example:80",
    "8080",
    "",
    "unix:/a",
]


@pytest.mark.parametrize("bind", ["127.0.0.1:8080", "127.9.9.9:80", "[::1]:8080", "localhost:8080", "127.0.0.1"])
def test_an_address_that_only_this_machine_reaches_may_be_bound(bind: str) -> None:
    assert is_loopback(bind)
    refuse_open_bind(bind, has_keys=False)


@pytest.mark.parametrize("bind", _OPEN)
def test_without_keys_an_address_that_others_reach_stops_the_process(bind: str) -> None:
    with pytest.raises(SystemExit, match=r"FLEET_API_KEYS"):
        refuse_open_bind(bind, has_keys=False)


@pytest.mark.parametrize("bind", _OPEN)
def test_with_keys_any_address_may_be_bound(bind: str) -> None:
    refuse_open_bind(bind, has_keys=True)
