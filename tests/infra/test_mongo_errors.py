"""Which errors of the database pass by themselves: clients are told to come again, and nobody is alarmed."""

from typing import Any

import pytest
from pymongo.errors import AutoReconnect, BulkWriteError, OperationFailure, PyMongoError, ServerSelectionTimeoutError

from infra.mongo import passes

STEPPED_DOWN = {"code": 11602, "errmsg": "operation was interrupted"}
TWICE = {"code": 11000, "errmsg": "duplicate key"}


def bulk(*, write: list[dict[str, Any]] = [], concern: list[dict[str, Any]] = []) -> BulkWriteError:  # noqa: B006
    return BulkWriteError({"writeErrors": write, "writeConcernErrors": concern})


@pytest.mark.parametrize(
    "error",
    [
        AutoReconnect("connection closed"),
        ServerSelectionTimeoutError("No primary available for writes"),
        OperationFailure("not primary", 10107),
        OperationFailure("stepped down", 189, {"errorLabels": ["RetryableWriteError"]}),
        OperationFailure("write conflict", 112, {"errorLabels": ["TransientTransactionError"]}),
        bulk(concern=[STEPPED_DOWN]),
        bulk(write=[STEPPED_DOWN], concern=[STEPPED_DOWN]),
    ],
)
def test_a_change_of_the_primary_passes(error: PyMongoError) -> None:
    assert passes(error)


@pytest.mark.parametrize(
    "error",
    [
        OperationFailure("unknown operator: $foo", 2),
        bulk(write=[TWICE]),
        bulk(write=[TWICE], concern=[STEPPED_DOWN]),
        bulk(),
    ],
)
def test_a_fault_of_ours_does_not(error: PyMongoError) -> None:
    assert not passes(error)
