"""Entry point of `python -m examples.site`."""

import sys

from examples.site.server import main

if __name__ == "__main__":
    sys.exit(main())
