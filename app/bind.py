"""Where the API may listen: without keys on loopback only."""

from fleet.bind import is_loopback


def refuse_open_bind(bind: str, *, has_keys: bool) -> None:
    """Stops the process rather than serve everybody who can reach it."""
    if not has_keys and not is_loopback(bind):
        raise SystemExit(
            f"FLEET_BIND is {bind}, but there are no FLEET_API_KEYS: without authentication the API binds loopback "
            "addresses only. Set FLEET_API_KEYS=NAME:KEY."
        )
