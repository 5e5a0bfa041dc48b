"""What floods, and readers who do not read, take from the one beside them: no more than their share."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from security.arena import ATTACKERS, MEBIBYTE, Account, Arena

from aerlock.v1.jobs_pb2 import FAILURE_REASON_TIME_LIMIT

SPIN = """
def main(backend, user_messenger):
    user_messenger.publish("started")
    while True:
        pass
"""
FLOODS = {
    "tiny results": """
import os

def main(backend, user_messenger):
    frames = bytes.fromhex("0400000012021807") * 10_000
    while True:
        rest = memoryview(frames)
        while rest:
            rest = rest[os.write(4, rest):]
""",
    "logs": """
import os
import threading

def main(backend, user_messenger):
    def flood(fd):
        while True:
            os.write(fd, bytes(65_536))
    threading.Thread(target=flood, args=(1,)).start()
    flood(2)
""",
}
# Results until shortly before the bound, then log output until the time is over.
TORRENT = """
import os

def main(backend, user_messenger):
    for _ in range(200):
        user_messenger.publish(bytes(60_000))
    while True:
        os.write(1, bytes(4096))
"""
# Two jobs meet at a word of a file that both may read: one waits there, and the other wakes it.
MEET = """
import ctypes
import os
from aerlock_executor.cell.seccomp import machine

WAIT, WAKE = 0, 1

def main(backend, user_messenger, wake):
    libc = ctypes.CDLL(None)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    place = libc.mmap(None, 4096, 1, 1, os.open(os.__file__, os.O_RDONLY), 0)
    word = ctypes.c_int.from_address(place).value
    futex = [ctypes.c_long(item) for item in (machine().numbers["futex"], place, WAKE if wake else WAIT)]
    user_messenger.publish("there")
    while wake and not libc.syscall(*futex, ctypes.c_long(1), None):
        pass
    return 0 if wake else libc.syscall(*futex, ctypes.c_long(word), None)
"""
FLOOD_SECONDS = 4
CANARIES = 5
# Beside a flood the executor, the gateway and the database work for it, which count as nobody's. This finds
# what stands still; `make bench` has the figures.
MOST_BESIDE_A_FLOOD = 3.0
READERS = 24
# A reader who takes nothing may have this much on its way to it; see max_streams_per_account.
READER_BYTES = 2 * MEBIBYTE


@contextmanager
def running(account: Account, source: str) -> Iterator[None]:
    """As many jobs of a program as an attacker may have, each followed by another, beside the block."""
    program_id = account.upload("flood", source, FLOOD_SECONDS)
    over = threading.Event()

    def run() -> None:
        while not over.is_set():
            account.events(account.start(program_id).job_id())

    threads = [threading.Thread(target=run) for _ in range(ATTACKERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def canary_seconds(arena: Arena, source: str) -> float:
    """What a canary takes beside jobs of a program at least: others of this machine can only add to it."""
    with running(arena.attacker, source):
        arena.run_canary()
        return min(arena.run_canary() for _ in range(CANARIES))


@pytest.mark.parametrize("flood", FLOODS)
def test_flood_takes_no_more_from_a_canary_than_spinning_does(arena, contained, flood):
    with contained():
        spinning = canary_seconds(arena, SPIN)
        flooding = canary_seconds(arena, FLOODS[flood])
    assert flooding <= MOST_BESIDE_A_FLOOD * spinning


def test_flood_of_logs_leaves_the_executor_half_of_its_time(arena, contained):
    supervisor = arena.server("supervisor")
    program_id = arena.attacker.upload("flood", FLOODS["logs"], FLOOD_SECONDS)
    with contained():
        before, begin = sum(supervisor.cpu_times()[:2]), time.monotonic()
        arena.attacker.events(arena.attacker.start(program_id).job_id())
        used = sum(supervisor.cpu_times()[:2]) - before
        assert used <= (time.monotonic() - begin) / 2


def test_readers_who_do_not_read_slow_down_nobody_and_lose_nothing(arena, contained):
    """They watch a job that floods; it ends on time, memory stays flat, and then they get all of it."""
    account = arena.attacker
    with contained():
        before = arena.sizes()["gateway"].memory
        job_id = account.start(account.upload("torrent", TORRENT, FLOOD_SECONDS)).job_id()
        readers = [account.watch(job_id) for _ in range(READERS)]
        first = [next(reader) for reader in readers]
        whole = account.events(job_id)
        assert whole[-1].state_change.failure.reason == FAILURE_REASON_TIME_LIMIT
        assert sum(event.ByteSize() for event in whole) > 12_000_000
        assert arena.sizes()["gateway"].memory - before < READERS * READER_BYTES
        for response, reader in zip(first, readers, strict=True):
            assert [*response.events, *(event for rest in reader for event in rest.events)] == whole


def test_jobs_that_want_to_can_signal_each_other(arena):
    """What SECURITY.md does not promise: when this fails, it may."""
    waiting = arena.attacker.start(arena.attacker.upload("meet", MEET), {"wake": False})
    arena.await_interim(waiting)
    waking = arena.neighbour.start(arena.neighbour.upload("meet", MEET), {"wake": True})
    assert waking.result(timeout=60) == waiting.result(timeout=60) == 0
