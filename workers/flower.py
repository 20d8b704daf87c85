"""Entry point of Flower, Celery's page about workers and tasks: `python -m workers.flower`."""

from fleet.bind import is_loopback
from fleet.logs import configure_logs
from fleet.settings import Settings, settings
from workers.celery_app import app

# In memory: a page that a person reads.
_TASKS_MAX = 10_000
_OFFLINE_WORKERS_SECONDS = 3_600
# The ids of jobs and sessions first; that of the message says least.
_COLUMNS = "name,args,kwargs,state,received,runtime,worker,uuid"


def main() -> None:
    config = settings()
    configure_logs(config.log_level, config.log_format, part="flower")
    refuse_open_bind(config)
    # Not on a command line of the system's, where everybody could read the password.
    app.start(["--quiet", "flower", *_options(config)])


def refuse_open_bind(config: Settings) -> None:
    """Stops the process: whoever reaches Flower can end workers."""
    if config.flower_auth is None and not is_loopback(config.flower_bind):
        raise SystemExit(
            f"FLEET_FLOWER_BIND is {config.flower_bind}: without FLEET_FLOWER_AUTH=USER:PASSWORD Flower binds loopback "
            "addresses only."
        )


def _options(config: Settings) -> list[str]:
    host, port = config.flower_bind.rsplit(":", 1)
    auth = [f"--basic-auth={config.flower_auth.get_secret_value()}"] if config.flower_auth else []
    return [
        f"--address={host.strip('[]')}",
        f"--port={port}",
        # Ours is there already.
        "--logging=none",
        f"--max-tasks={_TASKS_MAX}",
        f"--tasks-columns={_COLUMNS}",
        f"--purge-offline-workers={_OFFLINE_WORKERS_SECONDS}",
        *auth,
    ]


if __name__ == "__main__":
    main()
