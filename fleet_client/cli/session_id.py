"""Which session a command is about."""

from typing import Annotated

import typer

SessionId = Annotated[str, typer.Argument(metavar="SESSION", help="Its id, ses_…", show_default=False)]
