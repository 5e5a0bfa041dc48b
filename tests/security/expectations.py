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
    With ``cancel`` the job is cancelled once it has published.
    """

    state: str = "COMPLETED"
    reasons: tuple[str, ...] = ()
    result: Any = ANY
    signal: int | None = None
    message: str = ""
    seconds: float = 60.0
    runs: int = 1
    repeats: bool = True
    cancel: bool = False
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
    "blobs_abandoned": failed("OUTPUT_LIMIT"),
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
    "disk_bus_error": failed("CRASHED", signal=7),
    "disk_fill": Expectation(result=True),
    "disk_fill_deleted": Expectation(result=True),
    "disk_flush": Expectation(result=NOTHING),
    "disk_inodes": Expectation(result=True),
    "disk_links": Expectation(result=True),
    "disk_size_signal": failed("CRASHED", signal=25),
    "disk_sparse": Expectation(result=True),
    "files_execute": Expectation(result=NOTHING),
    "files_handles": Expectation(result=NOTHING),
    "files_links": Expectation(result=NOTHING),
    "files_proc": Expectation(result=NOTHING),
    "files_read_host": Expectation(result=NOTHING),
    "files_tree": Expectation(result=NOTHING),
    "files_write_outside": Expectation(result=NOTHING),
    "forging_after_the_end": failed("PROTOCOL_ERROR"),
    "forging_cpu_limit": failed("CRASHED", signal=24),
    "forging_exit": failed("NO_RESULT"),
    "forging_exit_statuses": failed("NO_RESULT", message="status 137"),
    "forging_failure_and_success": failed("NO_RESULT", message="status 0"),
    "forging_final_and_crash": failed("CRASHED", signal=11),
    "forging_final_and_hang": failed("TIME_LIMIT", seconds=2.0),
    "forging_final_and_status": failed("NO_RESULT", message="status 1"),
    "forging_final_result": failed("PROTOCOL_ERROR"),
    "forging_huge_length": failed("PROTOCOL_ERROR"),
    "forging_interleaved": failed("PROTOCOL_ERROR", "INVALID_RESULT"),
    "forging_long_failure": failed("PROGRAM_ERROR"),
    "forging_not_text": failed("INVALID_RESULT"),
    "forging_other_jobs": Expectation(result=5),
    "forging_ready": failed("PROTOCOL_ERROR"),
    "forging_reason": failed("NO_RESULT"),
    "forging_signal_of_a_kill": failed("CRASHED", signal=40),
    "forging_slow_frame": Expectation(result="published"),
    "forging_time_limit": failed("NO_RESULT"),
    "forging_truncated": failed("NO_RESULT"),
    "forging_unknown_kind": failed("PROTOCOL_ERROR"),
    "forging_unknown_reason": failed("NO_RESULT"),
    "forging_warnings": Expectation(result="published"),
    "forging_zero_length": failed("PROTOCOL_ERROR"),
    "inheritance_aer_seed": Expectation(runs=2, repeats=False),
    "inheritance_descriptors": Expectation(result=NOTHING),
    "inheritance_memory": Expectation(result=NOTHING, runs=2),
    "inheritance_objects": Expectation(result=NOTHING),
    "inheritance_random": Expectation(runs=2, repeats=False),
    "inheritance_state": Expectation(result=NOTHING),
    "kernel_core_limit": Expectation(result=NOTHING),
    "kernel_far_call": failed("CRASHED", signal=SIGSYS, machine="x86_64"),
    "kernel_fcntl": Expectation(result=NOTHING),
    "kernel_i386": failed("CRASHED", signal=SIGSYS, machine="x86_64"),
    "kernel_ioctl": Expectation(result=NOTHING),
    "kernel_limits": Expectation(result=NOTHING),
    "kernel_namespaces": Expectation(result=NOTHING),
    "kernel_prctl": Expectation(result=NOTHING),
    "kernel_sweep": Expectation(result=NOTHING),
    "kernel_syscalls": Expectation(result=NOTHING),
    "kernel_watches": Expectation(result="without epoll"),
    "kernel_x32": failed("CRASHED", signal=SIGSYS, machine="x86_64"),
    "memory_descriptor_tables": Expectation(result=True),
    "memory_descriptors_full": Expectation(result=True),
    "memory_detached": Expectation(result=False),
    "memory_growth": failed("MEMORY_LIMIT"),
    "memory_huge": failed("MEMORY_LIMIT"),
    "memory_kernel_objects": Expectation(result=NOTHING),
    "memory_last_byte": failed("MEMORY_LIMIT", "NO_RESULT"),
    "memory_mappings": Expectation(result=NOTHING),
    "memory_native": Expectation(result=True),
    "memory_pinned_pages": Expectation(result=False),
    "memory_qubits": failed("SIMULATOR_ERROR", "PROGRAM_ERROR", "MEMORY_LIMIT"),
    "memory_recursion": failed("PROGRAM_ERROR", message="RecursionError"),
    "memory_shared": Expectation(result=True),
    "memory_slow_growth": failed("MEMORY_LIMIT"),
    "memory_stack_overflow": failed("CRASHED", signal=11),
    "memory_stacks": Expectation(result=True),
    "memory_swallowed": failed("TIME_LIMIT", seconds=2.0),
    "memory_waited_for": Expectation(result=False),
    "network_connect": Expectation(result=NOTHING),
    "network_families": Expectation(result=NOTHING),
    "network_pass_descriptor": Expectation(result=False),
    "network_rings": Expectation(result=NOTHING),
    "network_syscalls": Expectation(result=NOTHING),
    "output_closed": Expectation(result="closed"),
    "output_control_bytes": Expectation(result="written"),
    "output_endless_line": Expectation(result="written"),
    "output_flood_endless": failed("TIME_LIMIT", seconds=2.0),
    "output_flood_interim": failed("OUTPUT_LIMIT"),
    "output_flood_logs": Expectation(result="written"),
    "output_flood_small": failed("TIME_LIMIT", seconds=2.0),
    "output_flood_tiny": failed("OUTPUT_LIMIT"),
    "output_not_blocking": Expectation(result="written"),
    "output_stolen": Expectation(result="kept"),
    "output_swapped": failed("PROTOCOL_ERROR"),
    "persistence_device_times": Expectation(result=NOTHING),
    "persistence_marks": Expectation(result=NOTHING, runs=2),
    "persistence_shared_files": Expectation(result=NOTHING),
    "persistence_state": Expectation(result=NOTHING, runs=2),
    "poison_array_claims": failed("INVALID_RESULT"),
    "poison_cycle": failed("INVALID_RESULT"),
    "poison_deep": failed("INVALID_RESULT"),
    "poison_forged_circuit": Expectation(result="written"),
    "poison_gates": failed("MEMORY_LIMIT", "TIME_LIMIT", seconds=4.0),
    "poison_huge": failed("OUTPUT_LIMIT"),
    "poison_keys": failed("INVALID_RESULT"),
    "poison_many": failed("INVALID_RESULT"),
    "poison_nested_frames": failed("INVALID_RESULT"),
    "poison_not_numbers": Expectation(result=-(1 << 63)),
    "poison_object": failed("INVALID_RESULT"),
    "processes_ignore_signals": failed("TIME_LIMIT", seconds=2.0),
    "poison_unknown_fields": Expectation(result=7),
    "poison_unknown_fields_deep": Expectation(result=DEEP_LISTS),
    "processes_broadcast": Expectation(result=NOTHING),
    "processes_cancel_stopped": Expectation("CANCELLED", cancel=True),
    "processes_clone_flags": Expectation(result=NOTHING),
    "processes_ignore_cancel": Expectation("CANCELLED", cancel=True),
    "processes_kill_itself": failed("CRASHED", signal=9),
    "processes_kill_others": Expectation(result=NOTHING),
    "processes_leader_exits": failed("TIME_LIMIT", seconds=2.0),
    "processes_outlive": Expectation(result=False),
    "processes_start": Expectation(result=NOTHING),
    "processes_stop_itself": failed("TIME_LIMIT", seconds=2.0),
    "processes_thread_bomb": Expectation(result=True),
    "processes_thread_churn": failed("TIME_LIMIT", seconds=2.0),
    "processes_touch_init": Expectation(result=NOTHING),
    "python_abort": failed("CRASHED", signal=6),
    "python_exec": failed("PROGRAM_ERROR", message="PermissionError"),
    "python_exit": failed("NO_RESULT"),
    "python_hanging_flush": failed("TIME_LIMIT", seconds=2.0),
    "python_hard_exit": failed("NO_RESULT"),
    "python_hostile_class": failed("PROGRAM_ERROR", "NO_RESULT"),
    "python_hostile_exception": failed("PROGRAM_ERROR"),
    "python_hostile_group": failed("PROGRAM_ERROR"),
    "python_input": failed("PROGRAM_ERROR", message="EOFError"),
    "python_interrupt": failed("PROGRAM_ERROR", message="KeyboardInterrupt"),
    "python_late_publish": Expectation(result="returned"),
    "python_local_modules": Expectation(result=[7, 7]),
    "python_no_modules": Expectation(result=1),
    "python_patched_everything": failed("NO_RESULT"),
    "python_patched_exit": failed("TIME_LIMIT", seconds=2.0),
    "python_patched_messenger": Expectation(result="returned"),
    "python_segfault": failed("CRASHED", signal=11),
    "python_segfault_thread": failed("CRASHED", signal=11),
    "python_thread_after_return": Expectation(result="returned"),
    "python_two_finals": failed("INVALID_RESULT", message="two different final results"),
    "python_wild_writes": failed("CRASHED"),
    "time_alarms": Expectation(result=True),
    "time_blocked": failed("TIME_LIMIT", seconds=2.0),
    "time_exit_handlers": Expectation(result="returned", seconds=10.0),
    "time_hold_gil": failed("TIME_LIMIT", seconds=2.0),
    "time_ignore_cpu_limit": failed("CPU_LIMIT", seconds=100.0),
    "time_import": failed("TIME_LIMIT", seconds=2.0),
    "time_read_own_input": failed("TIME_LIMIT", seconds=2.0),
    "time_sleep": failed("TIME_LIMIT", seconds=2.0),
    "time_spin": failed("TIME_LIMIT", seconds=2.0),
    "time_spin_threads": failed("TIME_LIMIT", seconds=2.0),
}
"""By the name of the program's file, without ``.py``."""
