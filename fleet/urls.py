"""Which URLs the fleet opens. One parser decides, before anything reaches Chrome."""

from urllib.parse import urlsplit

from fleet.errors import InvalidUrl

_SCHEMES = frozenset({"http", "https"})
# Chrome's own limit on a URL it navigates to is 2 MiB; nobody types more than this.
_MAX_CHARACTERS = 16_384


def check_url(url: str) -> str:
    """The URL itself, if the fleet may open it.

    Raises InvalidUrl: not http(s), without a host, with credentials in it, or too long.
    """
    if len(url) > _MAX_CHARACTERS:
        raise InvalidUrl(f"The URL has {len(url)} characters; at most {_MAX_CHARACTERS} are opened.")
    if any(character.isspace() or not character.isprintable() for character in url):
        raise InvalidUrl("The URL contains white space or control characters; percent-encode them.")
    try:
        parts = urlsplit(url)
        _ = parts.port  # parsed only when asked for
    except ValueError as error:
        raise InvalidUrl(f"The URL cannot be parsed ({error}).") from error
    if parts.scheme not in _SCHEMES:
        named = f"'{parts.scheme}:'" if parts.scheme else "a URL without a scheme"
        raise InvalidUrl(f"The fleet opens http: and https: URLs, not {named}.")
    if not parts.hostname:
        raise InvalidUrl("The URL has no host.")
    if parts.username is not None or parts.password is not None:
        raise InvalidUrl("The URL carries credentials; send them as http_credentials instead.")
    return url
