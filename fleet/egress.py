"""Which addresses pages may reach: public ones, and those that FLEET_EGRESS_ALLOW names."""

import ipaddress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Global by the registries' word, but each of these carries or hides an IPv4 address that may be private.
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(text)
    for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96", "fec0::/10", "192.88.99.0/24")
)


@dataclass(frozen=True)
class EgressPolicy:
    """`hosts`: name and port, or name and None for every port. `networks` likewise."""

    hosts: frozenset[tuple[str, int | None]] = frozenset()
    networks: tuple[tuple[Network, int | None], ...] = ()

    def permits(self, host: str, port: int, address: Address) -> bool:
        """Whether a connection to `address`, to which `host` resolved, may be made."""
        name = host.lower().rstrip(".")
        if (name, None) in self.hosts or (name, port) in self.hosts:
            return True
        plain = _unmapped(address)
        named = any(plain in network and of_port in (None, port) for network, of_port in self.networks)
        return named or is_public(plain)


def is_public(address: Address) -> bool:
    plain = _unmapped(address)
    hidden = any(plain in network for network in _NOT_PUBLIC)
    return plain.is_global and not plain.is_multicast and not hidden


def parse_policy(allow: str) -> EgressPolicy:
    """Reads `host`, `host:port`, `address`, `address:port`, `[v6]:port` and CIDR, separated by commas.

    Raises ValueError that names the entry.
    """
    hosts: set[tuple[str, int | None]] = set()
    networks: list[tuple[Network, int | None]] = []
    for entry in filter(None, (part.strip() for part in allow.split(","))):
        name, port = _split_port(entry)
        try:
            networks.append((ipaddress.ip_network(name, strict=False), port))
        except ValueError as error:
            if "/" in name or not name or any(character.isspace() for character in name):
                message = f"'{entry}' is not a host, host:port, address or CIDR"
                raise ValueError(message) from error
            hosts.add((name.lower(), port))
    return EgressPolicy(frozenset(hosts), tuple(networks))


def _split_port(entry: str) -> tuple[str, int | None]:
    if entry.startswith("["):
        name, _, rest = entry[1:].partition("]")
        port = rest.removeprefix(":")
    elif entry.count(":") == 1:
        name, _, port = entry.partition(":")
    else:
        return entry, None
    if port and not port.isdigit():
        message = f"'{entry}' has a port that is not a number"
        raise ValueError(message)
    return name, int(port) if port else None


def _unmapped(address: Address) -> Address:
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
