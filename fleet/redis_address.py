"""Where Redis is: one address, or sentinels that know which of several is the master now."""

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote, unquote

_PLAIN = re.compile(r"(redis|rediss)://.")
_BY_SENTINELS = re.compile(
    r"redis\+sentinel://((?P<user>[^:@/]*):(?P<password>[^@/]*)@)?"
    r"(?P<sentinels>[^:@/,]+:\d{1,5}(,[^:@/,]+:\d{1,5})*)/(?P<master>[\w.-]+)(/(?P<database>\d{1,4}))?"
)


@dataclass(frozen=True)
class RedisBySentinels:
    """`user`, `password`: Redis'; the sentinels themselves ask for none."""

    sentinels: tuple[tuple[str, int], ...]
    master: str
    database: int
    user: str | None
    password: str | None

    @classmethod
    def parse(cls, url: str) -> Self | None:
        """None: the URL names a Redis itself. Raises ValueError if it names neither."""
        found = _BY_SENTINELS.fullmatch(url)
        if found is None:
            if _PLAIN.match(url):
                return None
            message = "must be a redis:// or rediss:// URL, or redis+sentinel://[USER:PASSWORD@]HOST:PORT[,HOST:PORT…]/MASTER[/DB]"
            raise ValueError(message)
        hosts = (one.rpartition(":") for one in found["sentinels"].split(","))
        return cls(
            sentinels=tuple((host, int(port)) for host, _, port in hosts),
            master=found["master"],
            database=int(found["database"] or 0),
            user=unquote(found["user"] or "") or None,
            password=unquote(found["password"] or "") or None,
        )


def broker(url: str) -> tuple[str, dict[str, str]]:
    """The URL as Celery wants it, and what belongs into its `broker_transport_options`."""
    known = RedisBySentinels.parse(url)
    if known is None:
        return url, {}
    login = f"{quote(known.user or '')}:{quote(known.password, safe='')}@" if known.password else ""
    urls = [f"sentinel://{login}{host}:{port}/{known.database}" for host, port in known.sentinels]
    return ";".join(urls), {"master_name": known.master}
