"""Every limit of a task: its reason, its sentence, limit and use; and that no program gets round it."""

import textwrap

import pytest
from google.protobuf.duration_pb2 import Duration
from integration.executor_driver import (
    delegable,
    events_of,
    executor_of_its_own,
    groups_of_cells,
    reason,
    until,
)

from aerlock import codec
from aerlock.v1 import jobs_pb2
from aerlock.v1.limits_pb2 import ResourceLimits
from aerlock_executor.v1.executor_pb2 import CancelTaskRequest, TaskLimits

MIB = 1 << 20
SPIN = "while True: pass"
THREADS = """
import threading
release = threading.Event()
for _ in range(200):
    threading.Thread(target=release.wait, daemon=True).start()
"""
FILL = """
with open("/tmp/full", "wb") as file:
    while True: file.write(bytes(1 << 16))
"""
FILES = "for number in range(100_000): open(f'/tmp/{number}', 'w').close()"
OPEN = "files = [open('/dev/null') for _ in range(10_000)]"
# field, limit, what the program does, reason, a part of the sentence
LIMITS = [
    ("cpu_time", 1, SPIN, "CPU_LIMIT", "s of CPU time; the limit is 1 s"),
    (
        "memory_bytes",
        64 * MIB,
        "return len(bytearray(65 << 20))",
        "MEMORY_LIMIT",
        "asked for memory that would have taken it beyond its limit of 67,108,864 bytes; at its peak it had",
    ),
    ("threads", 8, THREADS, "THREAD_LIMIT", "another thread; it used 8 threads, and the limit is 8."),
    ("scratch_bytes", MIB, FILL, "SCRATCH_BYTES_LIMIT", "used 1,048,576 bytes, and the limit is 1,048,576."),
    ("scratch_files", 16, FILES, "SCRATCH_FILES_LIMIT", "it used 16 files, and the limit is 16."),
    ("open_files", 32, OPEN, "OPEN_FILES_LIMIT", "it used 32 file descriptors, and the limit is 32."),
    (
        "result_bytes",
        1 << 10,
        "return bytes(2000)",
        "OUTPUT_LIMIT",
        "take more than their limit of 1,024 bytes; it was stopped when 2,",
    ),
    (
        "events_per_second",
        2,
        "for number in range(11): user_messenger.publish(number)",
        "EVENT_RATE_LIMIT",
        "published 11 interim results within 5.0 s, 2.20 a second; the limit is 2 a second, and 10 at once.",
    ),
]
NAMES = [limit[0] for limit in LIMITS]


def program(body):
    return "def main(backend, user_messenger):\n" + textwrap.indent(body, "    ")


def limits(**fields):
    if "cpu_time" in fields:
        fields["cpu_time"] = Duration(seconds=fields["cpu_time"])
    return TaskLimits(resources=ResourceLimits(**fields))


def result_of(events):
    ended = events[-1].ended
    assert ended.state == jobs_pb2.JOB_STATE_COMPLETED, ended.failure
    (final,) = (event.final_result for event in events if event.HasField("final_result"))
    return codec.from_value(final)


@pytest.mark.parametrize(("field", "limit", "body", "expected", "sentence"), LIMITS, ids=NAMES)
def test_job_at_its_limit_fails_with_limit_and_use(executor, field, limit, body, expected, sentence):
    events = executor.run(program(body), limits=limits(**{field: limit}))
    failure = events[-1].ended.failure
    assert reason(events) == expected, failure
    assert sentence in failure.message
    assert failure.limit == limit
    # What is refused at once is not used; the others are counted up to the limit.
    assert failure.used >= (0 if field == "memory_bytes" else 0.9 * limit)
    assert all(
        "/" not in line or "program.py" in line for line in failure.traceback.splitlines() if "File" in line
    )


def test_job_below_its_limits_ends_well_and_its_memory_is_measured(executor):
    body = """
import os, threading
held = bytearray(40 << 20)
held[::4096] = bytes(len(held[::4096]))
open("/tmp/one", "wb").write(bytes(900_000))
files = [open("/dev/null") for _ in range(20)]
threading.stack_size(1 << 18)
release = threading.Event()
for _ in range(2): threading.Thread(target=release.wait, daemon=True).start()
for number in range(3): user_messenger.publish(number)
return len(held)
"""
    smallest = {field: limit for field, limit, *_ in LIMITS if field != "threads"}
    events = executor.run(program(body), limits=limits(**smallest, threads=8))
    assert result_of(events) == 40 << 20
    assert 30 * MIB <= events[-1].ended.usage.peak_memory_bytes <= 64 * MIB


# How programs and libraries wrap what the system said, and what they have tidied up by then.
WRAPPED = [
    ("try: bytearray(1 << 40)\nexcept MemoryError as error: raise ValueError(1) from error", "MEMORY_LIMIT"),
    ("try: bytearray(1 << 40)\nexcept MemoryError: {}['fallback']", "MEMORY_LIMIT"),
    ("try: bytearray(1 << 40)\nexcept MemoryError as one: raise ExceptionGroup('', [one])", "MEMORY_LIMIT"),
    ("try: bytearray(1 << 40)\nexcept MemoryError: pass\nraise ValueError('another')", "PROGRAM_ERROR"),
    ("import mmap\nmmap.mmap(-1, 1 << 40, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)", "MEMORY_LIMIT"),
    ("import numpy\nnumpy.ones(1 << 37)", "MEMORY_LIMIT"),
    (
        "import tempfile\nwith tempfile.TemporaryFile() as file:\n    while True: file.write(bytes(9999))",
        "SCRATCH_BYTES_LIMIT",
    ),
    (
        "import tempfile\nwith tempfile.TemporaryDirectory() as folder:\n"
        "    for number in range(99): open(f'{folder}/{number}', 'w').close()",
        "SCRATCH_FILES_LIMIT",
    ),
    ("import os\nfor number in range(99): os.mkdir(f'/dev/shm/{number}')", "SCRATCH_FILES_LIMIT"),
    ("import numpy\nnumpy.save('/tmp/a', numpy.zeros(1 << 20))", "SCRATCH_BYTES_LIMIT"),
    ("open('/tmp/sparse', 'wb').truncate(1 << 40)", "SCRATCH_BYTES_LIMIT"),
    (
        "import shutil\nopen('/tmp/a', 'wb').write(bytes(600_000))\nshutil.copy('/tmp/a', '/tmp/b')",
        "SCRATCH_BYTES_LIMIT",
    ),
    ("import os\nwhile True: os.pipe()", "OPEN_FILES_LIMIT"),
    ("import os\nwhile True: os.dup(0)", "OPEN_FILES_LIMIT"),
    ("raise RuntimeError('the socket said: Resource temporarily unavailable')", "PROGRAM_ERROR"),
    ("raise OSError(5, 'Input/output error')", "PROGRAM_ERROR"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), WRAPPED)
def test_limit_behind_what_a_program_raises_is_found(executor, body, expected):
    events = executor.run(
        program(body),
        limits=limits(memory_bytes=128 * MIB, scratch_bytes=MIB, scratch_files=20, open_files=40),
    )
    assert reason(events) in expected.split(), events[-1].ended.failure


def test_threads_whose_stacks_need_more_memory_than_there_is_hit_that_limit(executor):
    body = "import threading\nthreading.stack_size(32 << 20)" + THREADS
    events = executor.run(program(body), limits=limits(memory_bytes=128 * MIB, threads=100))
    assert reason(events) == "MEMORY_LIMIT", events[-1].ended.failure


# What a program may try to have more than its limits; it returns how much it got.
EVASIONS = {
    "raise what was lowered": (
        """
import resource
raised = []
for name in ("NOFILE", "NPROC", "FSIZE", "DATA", "AS", "CPU"):
    kind = getattr(resource, f"RLIMIT_{name}")
    hard = resource.getrlimit(kind)[1]
    for limits in ((hard + 1, hard + 1), (hard, resource.RLIM_INFINITY), (resource.RLIM_INFINITY,) * 2):
        for change in (resource.setrlimit, lambda *more: resource.prlimit(0, *more)):
            try: change(kind, limits)
            except (OSError, ValueError): continue
            raised.append(name)
return raised
""",
        lambda found: found == [],
    ),
    "raise it in a thread": (
        """
import resource, threading
found = []
def attack():
    try: resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    except (OSError, ValueError): pass
    found.append(resource.getrlimit(resource.RLIMIT_NOFILE))
thread = threading.Thread(target=attack)
thread.start()
thread.join()
return list(found[0])
""",
        lambda found: found == [40, 40],
    ),
    "delete files that are open": (
        """
import os
written, held = 0, []
try:
    while True:
        held.append(open(f"/tmp/{len(held)}", "wb", buffering=0))
        os.unlink(held[-1].name)
        size = held[-1].write(bytes(1 << 16))
        written += size
except OSError:
    return written
""",
        lambda found: 0 < found <= MIB,
    ),
    "delete them and keep them mapped": (
        """
import mmap, os
written, held = 0, []
try:
    for number in range(1000):
        with open(f"/tmp/{number}", "w+b", buffering=0) as file:
            os.unlink(file.name)
            if file.write(bytes(1 << 16)) < 1 << 16: return written
            held.append(mmap.mmap(file.fileno(), 1 << 16))
            written += 1 << 16
except OSError:
    return written
""",
        lambda found: 0 < found <= MIB,
    ),
    "make links in place of files": (
        """
import itertools, os
made = 0
open("/tmp/0", "w").close()
for make in (os.link, os.symlink):
    for number in itertools.count(1):
        try: make("/tmp/0", f"/tmp/{make.__name__}{number}")
        except OSError: break
        made += 1
return made
""",
        lambda found: found == 19,
    ),
    "fill holes": (
        """
import os
with open("/tmp/a", "wb", buffering=0) as file:
    file.truncate(1 << 20)
    os.truncate("/tmp/a", 1 << 19)
    other = open("/dev/shm/b", "wb", buffering=0)
    other.truncate(1 << 20)
    written = 0
    try:
        for place in range(0, 1 << 20, 4096):
            written += os.pwrite(file.fileno(), bytes(4096), place)
            written += os.pwrite(other.fileno(), bytes(4096), place)
    except OSError:
        return written
""",
        lambda found: 0 < found <= MIB,
    ),
    "start threads in C": (
        """
import ctypes, os, threading
libc = ctypes.CDLL(None)
started, handle = 0, ctypes.c_ulong()
attributes = (ctypes.c_char * 64)()
libc.pthread_attr_init(attributes)
libc.pthread_attr_setstacksize(attributes, ctypes.c_size_t(1 << 17))
while started < 500 and not libc.pthread_create(ctypes.byref(handle), attributes, libc.pause, None):
    started += 1
return started
""",
        lambda found: 0 < found < 8,
    ),
    "swallow the refusal": (
        """
held = []
while len(held) < 1000:
    try: held.append(open("/dev/null"))
    except OSError: break
return len(held)
""",
        lambda found: 0 < found < 40,
    ),
}  # fmt: skip


@pytest.mark.parametrize("evasion", EVASIONS)
def test_program_cannot_have_more_than_its_limits(executor, evasion):
    body, holds = EVASIONS[evasion]
    asked = limits(
        cpu_time=20, memory_bytes=128 * MIB, threads=8, scratch_bytes=MIB, scratch_files=20, open_files=40
    )
    found = result_of(executor.run(program(body), limits=asked))
    assert holds(found), found


def test_cpu_time_of_all_threads_counts_whatever_they_do_with_the_signal(executor):
    body = """
import signal, threading
signal.signal(signal.SIGXCPU, signal.SIG_IGN)
def spin():
    while True: pass
for _ in range(3): threading.Thread(target=spin).start()
spin()
"""
    events = executor.run(program(body), limits=limits(cpu_time=1))
    failure = events[-1].ended.failure
    assert reason(events) == "CPU_LIMIT", failure
    assert failure.limit == 1 <= failure.used < 4


TRANSPILE_AND_RUN = """
from qiskit import QuantumCircuit, transpile
circuit = QuantumCircuit(14)
circuit.h(range(14))
for _ in range(3): circuit.cx(range(13), range(1, 14))
circuit.measure_all()
counts = backend.run(transpile(circuit, backend, optimization_level=3), shots=100).result().get_counts()
return sum(counts.values())
"""


@pytest.mark.parametrize("threads", [4, 8])
def test_aer_runs_with_few_threads(executor, threads):
    assert result_of(executor.run(program(TRANSPILE_AND_RUN), limits=limits(threads=threads))) == 100


def test_aer_itself_refuses_a_circuit_beyond_the_memory_of_the_job(executor):
    body = """
from qiskit import QuantumCircuit
circuit = QuantumCircuit(24)
circuit.h(range(24))
circuit.measure_all()
return backend.run(circuit, shots=1, method="statevector").result().status
"""
    said = result_of(executor.run(program(body), limits=limits(memory_bytes=128 * MIB)))
    assert "max memory: 128M" in said


@pytest.mark.parametrize("use", ["transpile(circuit, backend)", "backend.run(circuit).result()"])
def test_library_that_raises_for_want_of_a_thread_is_at_that_limit(executor, use):
    """Of Qiskit's Rust it is a panic, of Aer an error of Python."""
    body = """
import threading
from qiskit import QuantumCircuit, transpile
circuit = QuantumCircuit(4)
for _ in range(20): circuit.cx(range(3), range(1, 4))
circuit.measure_all()
release = threading.Event()
try:
    while True: threading.Thread(target=release.wait, daemon=True).start()
except RuntimeError: pass
"""
    events = executor.run(program(body + use), limits=limits(threads=4))
    assert reason(events) == "THREAD_LIMIT", events[-1].ended.failure


def test_next_job_has_a_cell_of_the_pool_with_the_executors_own_limits(executor):
    scratch = (
        "import os\nstatus = os.statvfs('/tmp')\nreturn [status.f_blocks * status.f_frsize, status.f_ffree]"
    )
    small = limits(scratch_bytes=MIB, scratch_files=16)
    found = [result_of(executor.run(program(scratch), limits=one)) for one in (None, small, None)]
    assert found == [[256 * MIB, 16_384], [MIB, 16], [256 * MIB, 16_384]]


@pytest.fixture(scope="module", params=[True, False], ids=["with control groups", "without them"])
def bounded(request):
    """An executor with control groups, where there are any, or without."""
    with executor_of_its_own(own_cgroup=request.param) as executor:
        executor.start(slots=2)
        assert request.param or not groups_of_cells(executor.process.pid)
        executor.has_groups = request.param
        yield executor


ABORT = {
    "Rust": """
from qiskit import QuantumCircuit
circuit = QuantumCircuit(1)
circuit.h(0)
while True: circuit = circuit.compose(circuit)
""",
    "C++": """
import ctypes
ctypes.CDLL("libstdc++.so.6")._Znwm(ctypes.c_size_t(1 << 40))
""",
}


@pytest.mark.parametrize("language", ABORT)
def test_library_that_aborts_for_want_of_memory_is_at_that_limit(bounded, language):
    events = bounded.run(program(ABORT[language]), limits=limits(memory_bytes=100 * MIB))
    assert reason(events) == "MEMORY_LIMIT", events[-1].ended.failure
    assert events[-1].ended.failure.limit == 100 * MIB


def test_library_that_exits_for_want_of_a_thread_is_at_that_limit(bounded):
    body = """
import ctypes, glob, qiskit_aer
(path,) = glob.glob(f"{qiskit_aer.__path__[0]}.libs/libgomp*")
openmp = ctypes.CDLL(path)
openmp.GOMP_parallel(ctypes.CDLL(None).getpid, None, 64, 0)
"""
    events = bounded.run(program(body), limits=limits(threads=8))
    assert reason(events) == "THREAD_LIMIT", events[-1].ended.failure


# Takes memory until there is no more, in a way that a program may, and returns how much it got.
TAKE = {
    "bytes": "take = lambda: bytearray(1 << 20)",
    "arrays": "import numpy\ntake = lambda: numpy.ones(1 << 17)",
    "mappings": "import mmap\ntake = lambda: mmap.mmap(-1, 1 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)",
    "malloc": """
import ctypes
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
def take():
    address = libc.malloc(1 << 20)
    if not address: raise MemoryError
    ctypes.memset(address, 1, 1 << 20)
    return address
""",
}
TAKE_ALL = """
held = []
try:
    while True: held.append(take())
except (MemoryError, OSError):
    found = len(held)
    del held
return found << 20
"""


@pytest.mark.parametrize("way", TAKE)
def test_memory_of_a_job_is_its_own_limit_and_no_more(bounded, way):
    for limit in (64 * MIB, 200 * MIB):
        events = bounded.run(program(TAKE[way] + TAKE_ALL), limits=limits(memory_bytes=limit))
        assert 0.9 * limit - 6 * MIB <= result_of(events) <= limit
        assert events[-1].ended.usage.peak_memory_bytes <= limit + 8 * MIB


def test_neighbours_memory_is_nobodys_limit(bounded):
    """Two jobs at once, each of which has taken all of its own before the other gives it back."""
    body = (
        TAKE["bytes"]
        + """
import threading
held = []
try:
    while True: held.append(take())
except MemoryError:
    held.pop()
user_messenger.publish(len(held) << 20)
threading.Event().wait(600)
"""
    )
    sizes = (80 * MIB, 300 * MIB)
    requests = [bounded.request(program(body), limits=limits(memory_bytes=size)) for size in sizes]
    streams = [bounded.stub.StartTask(request) for request in requests]
    for stream, size in zip(streams, sizes, strict=True):
        taken = until(stream, "interim_result")[-1].interim_result.int_value
        assert 0.9 * size - 8 * MIB <= taken <= size
    for request in requests:
        bounded.stub.CancelTask(CancelTaskRequest(task_id=request.task_id))
    for stream in streams:
        assert events_of(stream)[-1].ended.state == jobs_pb2.JOB_STATE_CANCELLED


def test_memory_that_is_made_unwritable_is_bounded_too(bounded):
    body = """
import ctypes
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
taken = 0
while (address := libc.mmap(None, 1 << 20, 3, 0x22, -1, 0)) != 2**64 - 1:
    ctypes.memset(address, 1, 1 << 20)
    libc.mprotect(address, 1 << 20, 1)
    taken += 1 << 20
return taken
"""
    limit = 64 * MIB
    events = bounded.run(program(body), limits=limits(memory_bytes=limit, scratch_bytes=MIB))
    ended = events[-1].ended
    if ended.state == jobs_pb2.JOB_STATE_COMPLETED:
        assert not (bounded.has_groups and "memory" in delegable())
        assert result_of(events) <= limit + 300 * MIB
    else:  # the kernel ended it
        assert reason(events) == "MEMORY_LIMIT"
        assert ended.failure.limit == limit
        assert 0.9 * limit <= ended.failure.used <= limit + 40 * MIB
        sentence = f"limit of 67,108,864 bytes; at its peak it had {int(ended.failure.used):,} bytes in use."
        assert sentence in ended.failure.message
        assert ("took memory beyond" in ended.failure.message) == (ended.failure.used > limit)
