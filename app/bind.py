"""Where the API may listen: without authentication on loopback only."""

from fleet.bind import is_loopback


def refuse_open_bind(bind: str) -> None:
    """Stops the process rather than serve everybody who can reach it."""
    if not is_loopback(bind):
        raise SystemExit(
            f"FLEET_BIND is {bind}, but this API has no authentication: it binds loopback addresses only. "
            "Put an authenticating proxy in front of 127.0.0.1."
        )
