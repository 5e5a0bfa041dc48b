"""What docs/programs.md says that a program has in its cell, and what it has not."""

from aerlock.v1 import jobs_pb2

TRIES = """
import asyncio
import concurrent.futures
import multiprocessing
import os
import select
import socket
import subprocess
import sys
import tempfile

async def waits():
    return await asyncio.gather(asyncio.sleep(0, 1), asyncio.to_thread(int, "2"))

def in_threads():
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return list(pool.map(abs, [-1, 2]))

def in_processes():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.map(abs, [-1])

def writes(folder):
    with tempfile.TemporaryFile(dir=folder) as file:
        return file.write(b"123")

def outcome(attempt):
    try:
        return attempt()
    except OSError:
        return "OSError"

def main(backend, user_messenger):
    return {
        "asyncio": outcome(lambda: asyncio.run(waits())),
        "threads": outcome(in_threads),
        "tmp": outcome(lambda: writes("/tmp")),
        "shm": outcome(lambda: writes("/dev/shm")),
        "elsewhere": outcome(lambda: writes(os.path.dirname(os.__file__))),
        "select": outcome(lambda: select.select([0], [], [], 0) and 1),
        "input": sys.stdin.read() if sys.stdin else "",
        "epoll": outcome(select.epoll),
        "network": outcome(socket.socket),
        "subprocess": outcome(lambda: subprocess.run(["/bin/true"])),
        "multiprocessing": outcome(in_processes),
        "fork": outcome(os.fork),
    }
"""


def test_program_has_what_the_documentation_says_and_nothing_else(executor):
    events = executor.run(TRIES)
    assert events[-1].ended.state == jobs_pb2.JOB_STATE_COMPLETED, events[-1]
    found = {entry.key: entry.value for entry in events[-2].final_result.map_value.entries}
    refused = {name for name, value in found.items() if value.string_value == "OSError"}
    assert refused == {"elsewhere", "epoll", "network", "subprocess", "multiprocessing", "fork"}
    assert [value.int_value for value in found["asyncio"].list_value.values] == [1, 2]
    assert found["input"].string_value == ""
