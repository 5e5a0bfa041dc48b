"""Compares a job's results with the schemas of its program: a mismatch is a warning, and never a loss."""

import itertools
import json
from typing import Any, Final

from aerlock import jsonview, schema_check
from aerlock.opaque_places import OpaquePlaces
from aerlock.v1.jobs_pb2 import JobWarning
from aerlock.v1.values_pb2 import Value

INTERIM_CODE: Final = "INTERIM_RESULT_MISMATCH"
RETURN_CODE: Final = "RETURN_VALUE_MISMATCH"
MOST_WARNINGS: Final = 20
"""Of one job: the last is left for the final result."""
LONGEST_MESSAGE: Final = 500

_MOST_PLACES: Final = 3
# Where a result is larger, finding the places could take more memory than the job has left.
_LARGEST_EXPLAINED: Final = 64 << 10


class ResultChecks:
    """The checks of one job. What a check costs, the job pays: it runs within the cell's limits."""

    def __init__(self, interim_results_schema: str = "", return_values_schema: str = "") -> None:
        self._interim = _Check(interim_results_schema)
        self._final = _Check(return_values_schema)
        self._count = 0
        self._left = MOST_WARNINGS - 1

    def interim_warning(self, value: Value) -> JobWarning | None:
        """The warning about an interim result, after which it goes."""
        self._count += 1
        if not self._left or (mismatch := self._interim.mismatch(value)) is None:
            return None
        self._left -= 1
        end = "" if self._left else " Further interim results are not compared."
        return _warning(INTERIM_CODE, f"Interim result {self._count} is not as described: {mismatch}", end)

    def final_warning(self, value: Value) -> JobWarning | None:
        """The warning about the final result, before which it goes."""
        mismatch = self._final.mismatch(value)
        return (
            None if mismatch is None else _warning(RETURN_CODE, f"The result is not as described: {mismatch}")
        )


class _Check:
    """One schema, compiled when the first result comes."""

    def __init__(self, schema: str) -> None:
        self._schema = schema
        self._validator: Any = None

    def mismatch(self, value: Value) -> str | None:
        """A sentence about what is wrong with a result; None where nothing is, or nothing can be said."""
        if not self._schema:
            return None
        try:
            if self._validator is None:
                self._validator = schema_check.compile_schema(json.loads(self._schema))
            view = jsonview.to_python(value)
            return None if self._validator.is_valid(view) else _explain(self._validator, view)
        except KeyboardInterrupt:  # the job is cancelled: that is the program's to know
            raise
        except BaseException:  # also a panic in the library: the result counts, and not its check
            self._schema = ""
            return None


def _explain(validator: Any, view: object) -> str | None:  # noqa: ANN401
    text = json.dumps(view)
    if len(text) > _LARGEST_EXPLAINED:
        # What the view leaves out may be right.
        return None if OpaquePlaces.of(view) else "it is too large to say where."
    found = itertools.islice(schema_check.violations(validator, view), _MOST_PLACES)
    places = [f"{pointer and f'at {pointer}, '}{sentence}" for pointer, sentence in found]
    return f"{'; '.join(places)}." if places else None


def _warning(code: str, message: str, end: str = "") -> JobWarning:
    return JobWarning(code=code, message=message[: LONGEST_MESSAGE - len(end)] + end)
