import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.errors import STATUS, status_of
from fleet import errors
from fleet.errors import FleetError, InternalError, Unavailable, error_classes, error_from

_PAGE = Path(__file__).parents[2] / "docs" / "errors.md"
_CODED = sorted(error_classes(), key=lambda cls: cls.code)


def all_classes() -> Iterator[type[FleetError]]:
    """With those that only group others."""
    pending: list[type[FleetError]] = [FleetError]
    while pending:
        cls = pending.pop()
        pending.extend(cls.__subclasses__())
        yield cls


def test_every_class_that_groups_no_others_has_a_code() -> None:
    leaves = {cls for cls in all_classes() if not cls.__subclasses__()}

    assert leaves == set(_CODED)


def test_no_two_classes_share_a_code() -> None:
    codes = [cls.code for cls in _CODED]

    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("cls", _CODED, ids=lambda cls: cls.code)
def test_every_error_is_answered_with_the_status_of_an_error(cls: type[FleetError]) -> None:
    assert 400 <= status_of(cls("message")) <= 599


@pytest.mark.parametrize("cls", _CODED, ids=lambda cls: cls.code)
def test_every_refusal_of_a_request_is_a_4xx(cls: type[FleetError]) -> None:
    refusal = issubclass(cls, errors.RequestError | errors.PageError)

    assert not refusal or status_of(cls("message")) < 500


@pytest.mark.parametrize("cls", STATUS, ids=lambda cls: cls.__name__)
def test_the_table_of_statuses_names_classes_of_the_tree(cls: type[FleetError]) -> None:
    assert cls in set(all_classes())


def test_the_documentation_names_every_code_and_no_other() -> None:
    documented = re.findall(r"^\| `([a-z_]+)` \|", _PAGE.read_text(), flags=re.MULTILINE)

    assert sorted(documented) == [cls.code for cls in _CODED]


def test_the_drawing_of_the_tree_hangs_every_class_under_its_parent() -> None:
    parent = ""
    drawn: dict[str, str] = {}
    for line in (errors.__doc__ or "").splitlines():
        # What follows two spaces and a lower-case word explains the class before it.
        names = re.findall(r"\b[A-Z][A-Za-z]+\b", re.sub(r"\s{2,}[a-z].*", "", line))
        if line.startswith(("├── ", "└── ")):
            parent = names[0]
            drawn[parent] = "FleetError"
        elif line.startswith(("│   ", "    ")):
            drawn |= dict.fromkeys(names, parent)

    assert drawn == {cls.__name__: cls.__bases__[0].__name__ for cls in all_classes() if cls is not FleetError}


@pytest.mark.parametrize("cls", _CODED, ids=lambda cls: cls.code)
def test_an_error_that_travelled_is_of_the_same_class(cls: type[FleetError]) -> None:
    sent = cls("what failed", field="url")
    assert sent.details["field"] == "url"
    received = error_from(sent.code, sent.message, sent.details)

    assert type(received) is cls
    assert (received.message, received.details) == ("what failed", sent.details)


def test_a_code_that_this_version_does_not_know_is_an_internal_error() -> None:
    assert type(error_from("code_of_tomorrow", "what failed", {})) is InternalError


def test_an_error_reads_as_its_message() -> None:
    assert str(errors.InvalidUrl("The URL has no host.")) == "The URL has no host."


def test_what_is_unavailable_says_when_to_try_again() -> None:
    error = errors.QueueFull("full", retry_after=5, queue="captures")

    assert isinstance(error, Unavailable)
    assert (error.retry_after, error.details["queue"]) == (5, "captures")


def test_an_error_that_travelled_still_says_when_to_try_again() -> None:
    sent = errors.StorageUnavailable("full", retry_after=10)
    received = error_from(sent.code, sent.message, sent.details)

    assert isinstance(received, Unavailable)
    assert received.retry_after == 10
