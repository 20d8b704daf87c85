"""What is said when a storage does not take or give bytes, whichever it is."""

from fleet.errors import StorageUnavailable

# A disk that somebody has to clear, an object store that comes back: not sooner than this.
_RETRY_SECONDS = 10


def storage_failed(reason: str) -> StorageUnavailable:
    """`reason`: in a few words, without addresses, paths or keys; clients read it."""
    message = f"The artifact storage failed ({reason}). Try again later."
    return StorageUnavailable(message, retry_after=_RETRY_SECONDS, reason=reason)
