"""What a client gets for a request that became a job."""

from dataclasses import dataclass
from typing import Any, Self

from fleet.models.job import Job
from fleet.models.session import Session


@dataclass(frozen=True)
class Accepted:
    job: Job
    session: Session | None = None

    def to_json(self) -> dict[str, Any]:
        answer = {"job": self.job.model_dump(mode="json", exclude={"request_id"})}
        if self.session is not None:
            answer["session"] = self.session.model_dump(mode="json")
        return answer

    @classmethod
    def from_json(cls, answer: dict[str, Any]) -> Self:
        session = answer.get("session")
        return cls(job=Job.model_validate(answer["job"]), session=Session.model_validate(session) if session else None)
