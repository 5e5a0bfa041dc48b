"""What must become of each program in ``programs/``: its state, the true reason, its result."""

from dataclasses import dataclass
from typing import Any

ANY = object()
"""Any result will do."""


@dataclass(frozen=True)
class Expectation:
    """What the program must come to.

    ``result`` counts for COMPLETED, ``signal`` for CRASHED; ``seconds`` is
    max_execution_time. Without ``repeats`` no part of a result may come twice.
    """

    state: str = "COMPLETED"
    reasons: tuple[str, ...] = ()
    result: Any = ANY
    signal: int | None = None
    message: str = ""
    seconds: float = 60.0
    runs: int = 1
    repeats: bool = True
    machine: str = ""


def failed(*reasons: str, **more: Any) -> Expectation:
    """The program fails for one of these reasons; ``message`` is a part of what is said."""
    return Expectation("FAILED", reasons, **more)


NOTHING: list[Any] = []
DEEP_LISTS: Any = 7
for _ in range(35):
    DEEP_LISTS = [DEEP_LISTS]
SIGSYS = 31

EXPECTATIONS: dict[str, Expectation] = {
    "blobs_empty": failed("INVALID_RESULT", message="no kind set"),
    "blobs_flood": failed("OUTPUT_LIMIT"),
    "blobs_huge_claims": failed("INVALID_RESULT", message="cannot be addressed"),
    "blobs_interrupted": failed("PROTOCOL_ERROR", message="between the parts"),
    "blobs_many_values": failed("INVALID_RESULT", message="more than 1,048,576 values"),
    "blobs_nested": failed("INVALID_RESULT", message="refers to another blob"),
    "blobs_never_written": failed("INVALID_RESULT", message="has not written"),
    "blobs_no_value": failed("INVALID_RESULT"),
    "blobs_tiny": failed("OUTPUT_LIMIT"),
    "blobs_without_end": failed("OUTPUT_LIMIT"),
    "blobs_wrong_size": failed("INVALID_RESULT", message="has not written"),
    "disk_fill": Expectation(result=True),
    "disk_inodes": Expectation(result=True),
    "disk_sparse": Expectation(result=True),
    "files_links": Expectation(result=NOTHING),
    "files_read_host": Expectation(result=NOTHING),
    "files_write_outside": Expectation(result=NOTHING),
    "forging_cpu_limit": failed("CRASHED", signal=24),
    "forging_exit": failed("NO_RESULT"),
    "forging_final_result": failed("PROTOCOL_ERROR"),
    "forging_huge_length": failed("PROTOCOL_ERROR"),
    "forging_ready": failed("PROTOCOL_ERROR"),
    "forging_reason": failed("NO_RESULT"),
    "forging_slow_frame": Expectation(result="published"),
    "forging_truncated": failed("NO_RESULT"),
    "forging_unknown_kind": failed("PROTOCOL_ERROR"),
    "forging_warnings": Expectation(result="published"),
    "forging_zero_length": failed("PROTOCOL_ERROR"),
    "inheritance_descriptors": Expectation(result=NOTHING),
    "inheritance_random": Expectation(runs=2, repeats=False),
    "kernel_i386": failed("CRASHED", signal=SIGSYS, machine="x86_64"),
    "kernel_limits": Expectation(result=NOTHING),
    "kernel_syscalls": Expectation(result=NOTHING),
    "kernel_x32": failed("CRASHED", signal=SIGSYS, machine="x86_64"),
    "memory_descriptor_tables": Expectation(result=True),
    "memory_detached": Expectation(result=False),
    "memory_growth": failed("MEMORY_LIMIT"),
    "memory_huge": failed("MEMORY_LIMIT"),
    "memory_kernel_objects": Expectation(result=NOTHING),
    "memory_qubits": failed("SIMULATOR_ERROR", "PROGRAM_ERROR", "MEMORY_LIMIT"),
    "memory_recursion": failed("PROGRAM_ERROR", message="RecursionError"),
    "memory_shared": Expectation(result=True),
    "network_connect": Expectation(result=NOTHING),
    "network_families": Expectation(result=NOTHING),
    "network_pass_descriptor": Expectation(result=False),
    "output_closed": Expectation(result="closed"),
    "output_control_bytes": Expectation(result="written"),
    "output_flood_interim": failed("OUTPUT_LIMIT"),
    "output_flood_logs": Expectation(result="written"),
    "persistence_device_times": Expectation(result=NOTHING),
    "persistence_marks": Expectation(result=NOTHING, runs=2),
    "poison_cycle": failed("INVALID_RESULT"),
    "poison_deep": failed("INVALID_RESULT"),
    "poison_huge": failed("OUTPUT_LIMIT"),
    "poison_many": failed("INVALID_RESULT"),
    "poison_object": failed("INVALID_RESULT"),
    "processes_kill_itself": failed("CRASHED", signal=9),
    "processes_kill_others": Expectation(result=NOTHING),
    "processes_outlive": Expectation(result=False),
    "processes_start": Expectation(result=NOTHING),
    "processes_stop_itself": failed("TIME_LIMIT", seconds=2.0),
    "processes_thread_bomb": Expectation(result=True),
    "poison_unknown_fields": Expectation(result=7),
    "poison_unknown_fields_deep": Expectation(result=DEEP_LISTS),
    "python_abort": failed("CRASHED", signal=6),
    "python_exit": failed("NO_RESULT"),
    "python_hard_exit": failed("NO_RESULT"),
    "python_hostile_exception": failed("PROGRAM_ERROR"),
    "python_input": failed("PROGRAM_ERROR", message="EOFError"),
    "python_patched_messenger": Expectation(result="returned"),
    "python_segfault": failed("CRASHED", signal=11),
    "python_thread_after_return": Expectation(result="returned"),
    "python_two_finals": failed("INVALID_RESULT", message="two different final results"),
    "time_exit_handlers": Expectation(result="returned", seconds=10.0),
    "time_hold_gil": failed("TIME_LIMIT", seconds=2.0),
    "time_sleep": failed("TIME_LIMIT", seconds=2.0),
    "time_spin": failed("TIME_LIMIT", seconds=2.0),
}
"""By the name of the program's file, without ``.py``."""
