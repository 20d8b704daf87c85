"""Where the API may listen: without authentication on loopback only."""

import ipaddress


def is_loopback(bind: str) -> bool:
    host = bind.rsplit(":", 1)[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refuse_open_bind(bind: str) -> None:
    """Stops the process rather than serve everybody who can reach it."""
    if not is_loopback(bind):
        raise SystemExit(
            f"FLEET_BIND is {bind}, but this API has no authentication: it binds loopback addresses only. "
            "Put an authenticating proxy in front of 127.0.0.1."
        )
