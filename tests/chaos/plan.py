"""What the jobs of the chaos test do, and the whole log that each would have if nothing disturbed it."""

import functools
import hashlib
import random
from dataclasses import dataclass

from aerlock.v1.jobs_pb2 import (
    FAILURE_REASON_CRASHED,
    FAILURE_REASON_EXECUTOR_LOST,
    FAILURE_REASON_PROGRAM_ERROR,
    FAILURE_REASON_TIME_LIMIT,
    JOB_STATE_CANCELLED,
    JOB_STATE_COMPLETED,
    JOB_STATE_FAILED,
)
from aerlock.v1.values_pb2 import BlobRef, MapEntry, MapValue, Value

SIZES = (0, 0, 0, 500_000, 2_000_000, 8_000_000, 30_000_000)
LARGEST_INLINE = 1 << 20
TIME_LIMIT_SECONDS = 3
# Few, so that jobs share their large values.
SEEDS = 4


@functools.cache
def value_of(seed: int, size: int) -> Value:
    """Random bytes as a Value, or the reference to them."""
    value = Value(bytes_value=bytes_of(seed, size))
    encoded = value.SerializeToString()
    if len(encoded) <= LARGEST_INLINE:
        return value
    return Value(blob_value=BlobRef(sha256=hashlib.sha256(encoded).hexdigest(), size_bytes=len(encoded)))


@functools.lru_cache(8)
def bytes_of(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


@dataclass(frozen=True)
class Plan:
    """One job; ``ending`` is what its program does last, in seconds are ``pause`` and ``cancel_after``."""

    number: int
    account: str
    seed: int
    events: int
    pause: float
    input_bytes: int
    output_bytes: int
    ending: str
    cancel_after: float | None
    copies: int
    has_limit: bool

    @classmethod
    def draw(cls, choose: random.Random, number: int, accounts: list[str]) -> "Plan":
        ending = choose.choices(["return", "raise", "hang"], [8, 1, 1])[0]
        has_limit = ending == "hang" and choose.random() < 0.5
        cancelled = (ending == "hang" and not has_limit) or choose.random() < 0.15
        return cls(
            number=number,
            account=choose.choice(accounts),
            seed=10 * choose.randrange(SEEDS),
            events=choose.choice([0, 3, 20, 200, 2000]),
            pause=choose.choice([0.0, 0.0, 0.002]),
            input_bytes=choose.choice(SIZES),
            output_bytes=choose.choice(SIZES),
            ending=ending,
            cancel_after=choose.uniform(0, 6) if cancelled else None,
            copies=choose.choice([1, 1, 2, 3]),
            has_limit=has_limit,
        )

    @property
    def inputs(self) -> MapValue:
        fields = {
            "seed": Value(int_value=self.seed),
            "events": Value(int_value=self.events),
            "pause": Value(double_value=self.pause),
            "output_bytes": Value(int_value=self.output_bytes),
            "ending": Value(string_value=self.ending),
        }
        if self.input_bytes:
            fields["data"] = value_of(self.seed + 2, self.input_bytes)
        return MapValue(entries=[MapEntry(key=key, value=value) for key, value in fields.items()])

    @property
    def interim_results(self) -> list[Value]:
        data = bytes_of(self.seed + 2, self.input_bytes)
        large = [value_of(self.seed, self.output_bytes)] if self.output_bytes else []
        numbers = [Value(int_value=number) for number in range(self.events)]
        return [Value(string_value=hashlib.sha256(data).hexdigest()), *large, *numbers]

    @property
    def final_result(self) -> Value:
        return value_of(self.seed + 1, self.output_bytes)

    @property
    def output(self) -> bytes:
        return b"".join(b"%d\n" % number for number in range(self.events))

    def may_end(self, state: int, reason: int, signal: int) -> bool:
        """Whether a terminal event can be true; that the result is right is another question."""
        match state:
            case _ if state == JOB_STATE_COMPLETED:
                return self.ending == "return"
            case _ if state == JOB_STATE_CANCELLED:
                return self.cancel_after is not None
            case _ if state == JOB_STATE_FAILED:
                return (
                    reason == FAILURE_REASON_EXECUTOR_LOST
                    or (reason == FAILURE_REASON_CRASHED and signal == 9)
                    or (reason == FAILURE_REASON_PROGRAM_ERROR and self.ending == "raise")
                    or (reason == FAILURE_REASON_TIME_LIMIT and self.has_limit)
                )
        return False
