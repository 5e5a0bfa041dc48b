"""The client's one stream of events, while the connection below it breaks."""

import logging
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from proxy import Proxy

import aerlock
from aerlock import AerlockError, RuntimeJobTimeoutError, RuntimeService

OPTIONS = {"backend_name": "aer_simulator"}
PATIENCE_SECONDS = 60

STEADY = """
import time

def main(backend, user_messenger, count):
    for number in range(count):
        user_messenger.publish(number)
        time.sleep(0.005)
    return count
"""


@pytest.fixture
def proxy(stack):
    proxy = Proxy(stack.tcp_address)
    yield proxy
    proxy.close()


@pytest.fixture
def service(proxy, stack):
    with RuntimeService(address=proxy.address, token=stack.token) as service:
        yield service


@pytest.fixture
def steady(service) -> str:
    metadata = {"name": "steady", "description": "Publishes numbers.", "max_execution_time": 60}
    return service.upload_program(STEADY, metadata)


class Results(list):
    """A callback that keeps the results that it gets, and lets a test wait for so many."""

    def __init__(self) -> None:
        super().__init__()
        self._grown = threading.Condition()

    def __call__(self, job_id: str, result: object) -> None:
        with self._grown:
            self.append(result)
            self._grown.notify_all()

    def await_length(self, length: int) -> None:
        with self._grown:
            assert self._grown.wait_for(lambda: len(self) >= length, PATIENCE_SECONDS)


def threads_since(before: list[threading.Thread], name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread not in before and thread.name == name]


def test_stream_that_is_cut_again_and_again_delivers_each_result_once(service, proxy, steady):
    results = [Results(), Results()]
    jobs = [service.run(steady, OPTIONS, {"count": 300}, callback) for callback in results]
    for cut in range(8):
        results[0].await_length(30 * (cut + 1))
        proxy.cut()
    assert [job.result(PATIENCE_SECONDS) for job in jobs] == [300, 300]
    assert results == [list(range(300))] * 2
    # A burst of results may be cut off twice by what is one break.
    assert proxy.connections > 4


def test_result_outlives_an_outage(service, proxy, steady):
    job = service.run(steady, OPTIONS, {"count": 20})
    answer = []
    waiting = threading.Thread(target=lambda: answer.append(job.result(PATIENCE_SECONDS)))
    waiting.start()
    proxy.refusing = True
    proxy.cut()
    for _ in range(3):
        assert proxy.refused.acquire(timeout=PATIENCE_SECONDS)
    assert waiting.is_alive()
    proxy.refusing = False
    waiting.join(PATIENCE_SECONDS)
    assert answer == [20]


def test_wait_ends_on_time_while_the_server_is_gone(service, proxy, steady):
    job = service.run(steady, OPTIONS, {"count": 1})
    proxy.refusing = True
    proxy.cut()
    start = time.monotonic()
    with pytest.raises(RuntimeJobTimeoutError):
        job.result(timeout=0.5)
    assert time.monotonic() - start < 5


def test_one_thread_follows_all_jobs_and_ends_with_the_last(service, steady):
    before = threading.enumerate()
    results = [Results() for _ in range(4)]
    jobs = [service.run(steady, OPTIONS, {"count": 200}, callback) for callback in results]
    assert len(threads_since(before, "aerlock-watch")) == 1
    results[0].await_length(1)
    assert len(threads_since(before, "aerlock-callbacks")) == 1
    for job in jobs:
        job.result(PATIENCE_SECONDS)
    # A result that is asked for after the last stream ended opens a stream of its own.
    for watch in threads_since(before, "aerlock-watch"):
        watch.join(PATIENCE_SECONDS)
    assert threads_since(before, "aerlock-watch") == []


def test_closed_service_wakes_who_waits(proxy, stack, steady):
    service = RuntimeService(address=proxy.address, token=stack.token)
    results = Results()
    job = service.run(steady, OPTIONS, {"count": 2_000}, results)
    errors = []

    def wait() -> None:
        try:
            job.result(PATIENCE_SECONDS)
        except AerlockError as error:
            errors.append(str(error))

    waiting = threading.Thread(target=wait)
    waiting.start()
    results.await_length(len(results) + 20)
    service.close()
    waiting.join(10)
    assert errors == ["the service was closed"]
    with pytest.raises(AerlockError, match="the service was closed"):
        job.result()
    with RuntimeService(address=proxy.address, token=stack.token) as other:
        other.job(job.job_id()).cancel()


def test_slow_callback_loses_nothing_and_holds_up_no_result(service, steady, caplog):
    entered, release = threading.Event(), threading.Event()
    slow_results = []

    def slow(job_id: str, number: int) -> None:
        entered.set()
        release.wait(PATIENCE_SECONDS)
        slow_results.append(number)

    slow_job = service.run(steady, OPTIONS, {"count": 20}, slow)
    assert entered.wait(PATIENCE_SECONDS)
    assert service.run(steady, OPTIONS, {"count": 2}).result(PATIENCE_SECONDS) == 2
    with caplog.at_level(logging.WARNING, "aerlock"), pytest.raises(RuntimeJobTimeoutError):
        slow_job.result(timeout=0.2)
    release.set()
    assert slow_job.result(PATIENCE_SECONDS) == 20
    assert slow_results == list(range(20))
    assert not caplog.records


INTERRUPTED = """
import signal
import sys
from aerlock import RuntimeService

# What a shell starts in the background ignores the signal, and so would this.
signal.signal(signal.SIGINT, signal.default_int_handler)
with RuntimeService(sys.argv[1], sys.argv[2]) as service:
    job = service.job(sys.argv[3])
    try:
        print("waiting", flush=True)
        job.result()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


def test_interrupt_ends_a_wait_at_once(service, stack, steady):
    job = service.run(steady, OPTIONS, {"count": 10_000})
    arguments = [sys.executable, "-c", INTERRUPTED, stack.address, stack.token, job.job_id()]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "waiting\n"
        # Past the print the process may still be on its way into result(), where an interrupt counts as well.
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60)[0] == "interrupted\n"
        assert process.returncode == 0
    job.cancel()


def test_interrupt_on_the_way_into_a_wait_ends_it_and_leaves_no_stream(service, steady):
    job = service.run(steady, OPTIONS, {"count": 10_000})
    before = threading.enumerate()
    interrupted_in = set()
    while True:
        interruption = Interruption(without=interrupted_in)
        sys.settrace(interruption)
        try:
            job.result(timeout=5)
        except (KeyboardInterrupt, RuntimeJobTimeoutError) as error:
            ended_by = type(error)
        finally:
            sys.settrace(None)
        if interruption.function is None:
            break
        assert ended_by is KeyboardInterrupt, interruption.function
        interrupted_in.add(interruption.function)
    assert {"subscribe", "start", "_catch_up", "_replay", "open_stream", "wait"} <= interrupted_in
    for watch in threads_since(before, "aerlock-watch"):
        watch.join(PATIENCE_SECONDS)
    job.cancel()


class Interruption:
    """Interrupts the main thread where it enters the next function of the client, as Ctrl-C may."""

    CLIENT = str(Path(aerlock.__file__).parent)
    # Interrupted while they clean up, these leave what is left to the end of the service.
    CLEANING = frozenset({"unsubscribe", "close", "end_replay"})

    def __init__(self, without: set[str]) -> None:
        self._without = without | self.CLEANING
        self.function = None

    def __call__(self, frame, event, argument) -> None:
        code = frame.f_code
        of_client = code.co_filename.startswith(self.CLIENT)
        if self.function is None and of_client and code.co_name not in self._without:
            self.function = code.co_name
            raise KeyboardInterrupt
