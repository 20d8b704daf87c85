import pytest

from fleet import errors as server
from fleet.errors import error_classes
from fleet_client import FleetApiError, FleetFault, NotFound, PageError, RequestRefused, Unauthorized, Unavailable
from fleet_client.errors import error_class

_CODED = sorted(error_classes(), key=lambda cls: cls.code)
_BRANCHES: dict[type[server.FleetError], type[FleetApiError]] = {
    server.RequestError: RequestRefused,
    server.Unavailable: Unavailable,
    server.PageError: PageError,
    server.FleetFault: FleetFault,
}


@pytest.mark.parametrize("cls", _CODED, ids=lambda cls: cls.code)
def test_every_code_of_the_fleet_has_its_branch_here(cls: type[server.FleetError]) -> None:
    (branch,) = (here for there, here in _BRANCHES.items() if issubclass(cls, there))

    assert issubclass(error_class(cls.code), branch)


@pytest.mark.parametrize("code", ["session_not_found", "session_ended", "artifact_not_found", "not_found"])
def test_what_is_not_there_can_be_told_from_other_refusals(code: str) -> None:
    assert error_class(code) is NotFound


def test_a_wrong_key_can_be_told_from_other_refusals() -> None:
    assert error_class("unauthorized") is Unauthorized


@pytest.mark.parametrize(
    ("status", "cls"),
    [(400, RequestRefused), (422, PageError), (429, Unavailable), (503, Unavailable), (500, FleetFault)],
)
def test_a_code_of_a_newer_fleet_goes_by_its_status(status: int, cls: type[Exception]) -> None:
    assert error_class("from_the_future", status) is cls
