import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.errors import InvalidUrl
from fleet.urls import check_url

_PLAIN_PIECES = ("http", "HTTPS", "file", ":", "//", "/", "@", "[", "]", "::1", "80", "99999", "?", "#", "a.example")
_ODD_PIECES = ("\\", "%", "bücher", "℀", ".", " ", "\n", "\x00", "\ud800")
_PIECES = st.sampled_from(_PLAIN_PIECES + _ODD_PIECES)
_URL_LIKE = st.lists(_PIECES, max_size=12).map("".join)


@pytest.mark.parametrize(
    "url",
    [
        "http://a.example",
        "https://a.example/path?query=1#fragment",
        "HTTP://A.EXAMPLE/",
        "hTTps://a.example/",
        "http://a.example:8080/",
        "http://127.0.0.1/",
        "http://[2001:db8::1]:8080/",
        "http://bücher.example/straße",
        "http://例え.example/",
        "http://a.example/?next=http://b.example/@user",
    ],
)
def test_a_web_url_is_opened_as_it_was_given(url: str) -> None:
    assert check_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "FILE:///etc/passwd",
        "chrome://settings",
        "about:blank",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "blob:http://a.example/1",
        "view-source:http://a.example",
        "ftp://a.example/",
        "ws://a.example/",
    ],
)
def test_a_scheme_that_is_not_of_the_web_is_refused_by_name(url: str) -> None:
    scheme = url.partition(":")[0].lower()
    with pytest.raises(InvalidUrl, match=f"not '{scheme}:'"):
        check_url(url)


@pytest.mark.parametrize("url", ["a.example", "//a.example/", "/path", "", "?q"])
def test_a_url_without_a_scheme_is_refused(url: str) -> None:
    with pytest.raises(InvalidUrl, match="without a scheme"):
        check_url(url)


@pytest.mark.parametrize("url", ["http:", "http://", "http:///path", "http:a.example", "https://:443/", "http://?q"])
def test_a_url_without_a_host_is_refused(url: str) -> None:
    with pytest.raises(InvalidUrl, match="no host"):
        check_url(url)


@pytest.mark.parametrize(
    "url", ["http://user:secret@a.example/", "http://user@a.example/", "http://@a.example/", "http://:@a.example/"]
)
def test_credentials_in_a_url_are_refused(url: str) -> None:
    with pytest.raises(InvalidUrl, match="http_credentials"):
        check_url(url)


def test_a_refused_credential_is_not_repeated_in_the_message() -> None:
    with pytest.raises(InvalidUrl) as refused:
        check_url("http://user:hunter2@a.example/")

    assert "hunter2" not in refused.value.message


@pytest.mark.parametrize("character", [" ", "\t", "\n", "\r", "\x00", "\x7f", "\u00a0", "\u2028", "\u200b", "\ud800"])
@pytest.mark.parametrize("place", ["{}http://a.example/", "http://a{}.example/", "http://a.example/{}"])
def test_white_space_and_control_characters_are_refused(place: str, character: str) -> None:
    with pytest.raises(InvalidUrl, match="percent-encode"):
        check_url(place.format(character))


@pytest.mark.parametrize("url", ["http://a.example:65536/", "http://a.example:-1/", "http://a.example:eighty/"])
def test_a_port_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidUrl, match="cannot be parsed"):
        check_url(url)


@pytest.mark.parametrize("url", ["http://[::1/", "http://::1]/", "http://[not-an-address]/", "http://a℀b.example/"])
def test_a_host_that_cannot_be_read_is_refused(url: str) -> None:
    with pytest.raises(InvalidUrl, match="cannot be parsed"):
        check_url(url)


def test_the_longest_url_has_16384_characters() -> None:
    longest = "http://a.example/".ljust(16_384, "x")

    assert check_url(longest) == longest
    with pytest.raises(InvalidUrl, match="16385 characters"):
        check_url(longest + "x")


@given(url=st.one_of(st.text(), _URL_LIKE))
def test_any_text_is_either_refused_as_a_url_or_returned_as_it_is(url: str) -> None:
    try:
        opened = check_url(url)
    except InvalidUrl:
        return

    assert opened == url
