"""What a client gets for a request that became a job."""

from dataclasses import dataclass
from typing import Any, Self

from fleet.clock import utc_now
from fleet.ids import new_id
from fleet.models.job import InternalJobKind, Job, JobKind
from fleet.models.session import Session


def new_job(kind: JobKind | InternalJobKind, request_id: str, session_id: str | None = None) -> Job:
    return Job(id=new_id("job"), kind=kind, session_id=session_id, queued_at=utc_now(), request_id=request_id)


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
