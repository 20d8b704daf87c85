"""The Python client of Capture Fleet.

with FleetClient("http://127.0.0.1:8080") as fleet:
    job = fleet.capture("https://example.org/")
    fleet.download(job.artifacts[0], "page.png")
"""

from fleet_client.async_client import AsyncFleetClient
from fleet_client.client import FleetClient
from fleet_client.errors import (
    ConnectionFailed,
    DamagedDownload,
    FleetApiError,
    FleetClientError,
    FleetFault,
    NotFound,
    NotTheApi,
    PageError,
    RequestRefused,
    StillRunning,
    Unauthorized,
    Unavailable,
)
from fleet_client.models import (
    Artifact,
    Batch,
    BatchItem,
    CapturedResponse,
    Job,
    Link,
    Manifest,
    Script,
    Session,
    Status,
    Webhook,
    Worker,
)
from fleet_client.retries import Retries
from fleet_client.webhooks import verify_webhook

__all__ = [
    "Artifact",
    "AsyncFleetClient",
    "Batch",
    "BatchItem",
    "CapturedResponse",
    "ConnectionFailed",
    "DamagedDownload",
    "FleetApiError",
    "FleetClient",
    "FleetClientError",
    "FleetFault",
    "Job",
    "Link",
    "Manifest",
    "NotFound",
    "NotTheApi",
    "PageError",
    "RequestRefused",
    "Retries",
    "Script",
    "Session",
    "Status",
    "StillRunning",
    "Unauthorized",
    "Unavailable",
    "Webhook",
    "Worker",
    "verify_webhook",
]
