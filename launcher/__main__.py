"""`python -m launcher up` and `python -m launcher demo`; the Makefile sets up what they need."""

import os
import signal
import sys

from fleet.settings import settings
from launcher.demo import run_demo
from launcher.fleet import Fleet, FleetDidNotStart, FleetOptions, caller_settings, data_folder


def run_up() -> int:
    environment = {"FLEET_LOG_FORMAT": "console", **caller_settings()}
    options = FleetOptions(
        data=data_folder(),
        bind=environment.get("FLEET_BIND", "127.0.0.1:8080"),
        workers=int(os.environ.get("WORKERS", "1")),
        concurrency=int(os.environ.get("CONCURRENCY", "4")),
        flower=True,
        logs=None,
        environment=environment,
    )
    with Fleet(options) as fleet:
        print(
            f"\nCapture Fleet is up.\n  API     {fleet.url}  (docs: {fleet.url}/docs)\n"
            f"  Flower  http://{settings().flower_bind}\nCtrl-C ends all of it.\n",
            flush=True,
        )
        ended = fleet.wait()
    print(f"{ended} ended by itself, so the fleet was stopped.", file=sys.stderr)
    return 1


def main() -> int:
    # SIGTERM is a Ctrl-C that nobody typed; and a shell starts background commands with SIGINT ignored.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    # Bad ones are named once, before anything is started.
    settings()
    try:
        return {"up": run_up, "demo": run_demo}[sys.argv[1]]()
    except KeyboardInterrupt:
        print("\nStopped.")
        return 0
    except FleetDidNotStart as error:
        print(f"The fleet did not start: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
