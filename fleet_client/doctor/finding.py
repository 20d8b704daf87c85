"""What a check came to."""

from dataclasses import dataclass
from typing import Any, Literal

Verdict = Literal["ok", "warning", "failed", "unknown"]


@dataclass(frozen=True)
class Finding:
    """`remedy`: what to do, where there is something to do. `unknown`: could not be looked at."""

    check: str
    verdict: Verdict
    text: str
    remedy: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {"check": self.check, "verdict": self.verdict, "text": self.text, "remedy": self.remedy}


def ok(check: str, text: str) -> Finding:
    return Finding(check, "ok", text)


def warning(check: str, text: str, remedy: str) -> Finding:
    return Finding(check, "warning", text, remedy)


def failed(check: str, text: str, remedy: str) -> Finding:
    return Finding(check, "failed", text, remedy)


def unknown(check: str, text: str, remedy: str | None = None) -> Finding:
    return Finding(check, "unknown", text, remedy)
