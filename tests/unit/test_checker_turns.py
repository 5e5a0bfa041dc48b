"""The checker's processes among accounts: turns, bounds, and a machine that is busy with others."""

import asyncio
import json
import signal

import psutil
import pytest

from aerlock_gateway.core.checker import Checker, TooCostlyError
from aerlock_gateway.errors import ExhaustedError

GOOD = {"program.py": "def main(backend, user_messenger): pass"}
# Takes all the time that a check may have.
COSTLY = json.dumps(
    {
        "$defs": {str(n): {"anyOf": [{"$ref": f"#/$defs/{n + 1}"}] * 3} for n in range(25)} | {"25": False},
        "$ref": "#/$defs/0",
    }
)


@pytest.fixture
async def checker():
    checker = Checker()
    await checker.start()
    yield checker
    await checker.close()


def checker_processes() -> list[psutil.Process]:
    children = psutil.Process().children()
    return [child for child in children if "aerlock_gateway.core.checker_process" in child.cmdline()]


def costly(checker: Checker, account: str) -> asyncio.Task[object]:
    return asyncio.create_task(checker.check_inputs(account, COSTLY, "{}"))


async def outcome(task: asyncio.Task[object]) -> object:
    (result,) = await asyncio.gather(task, return_exceptions=True)
    return result


async def test_costly_checks_of_one_account_delay_no_other(checker):
    slow = [costly(checker, "slow") for _ in range(4)]
    await asyncio.sleep(0)
    for _ in range(20):
        assert (await checker.check_program("quick", GOOD, {}))["violations"] == []
    # One of them may be over by now, since machines differ; all four would be so had they been waited for.
    assert sum(task.done() for task in slow) < 3
    assert {type(await outcome(task)) for task in slow} == {TooCostlyError}


async def test_accounts_have_turns(checker):
    ended = []

    def run(account: str) -> asyncio.Task[object]:
        task = costly(checker, account)
        task.add_done_callback(lambda _: ended.append(account))
        return task

    tasks = [run(account) for account in ("a", "a", "a", "b", "c")]
    await asyncio.gather(*tasks, return_exceptions=True)
    assert ended.index("b") < 3
    assert ended.index("c") < 4


async def test_busy_machine_refuses_nobody(checker):
    await checker.check_program("account", GOOD, {})
    (process,) = checker_processes()
    process.send_signal(signal.SIGSTOP)
    check = asyncio.create_task(checker.check_program("account", GOOD, {}))
    # Longer than the CPU time that a check may use.
    await asyncio.sleep(1.5)
    assert not check.done()
    process.send_signal(signal.SIGCONT)
    assert (await check)["violations"] == []


async def test_check_that_is_cancelled_leaves_the_next_one_right(checker):
    running, waiting, other = (costly(checker, "account") for _ in range(3))
    await asyncio.sleep(0.05)
    for task in (waiting, running):
        task.cancel()
    assert isinstance(await outcome(running), asyncio.CancelledError)
    assert isinstance(await outcome(waiting), asyncio.CancelledError)
    assert isinstance(await outcome(other), TooCostlyError)
    for account in ("account", "another"):
        assert (await checker.check_program(account, GOOD, {}))["signature"]["any_name"] is False


async def test_queue_of_an_account_is_bounded(checker):
    large = {"program.py": "#" * 700_000}
    waiting = [asyncio.create_task(checker.check_program("account", large, {})) for _ in range(120)]
    await asyncio.sleep(0)
    refused = [task for task in waiting if task.done()]
    assert refused
    assert {type(await outcome(task)) for task in refused} == {ExhaustedError}
    assert (await checker.check_program("another", GOOD, {}))["violations"] == []
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert (await checker.check_program("account", GOOD, {}))["violations"] == []


async def test_process_that_was_killed_is_replaced(checker):
    (process,) = checker_processes()
    check = costly(checker, "account")
    await asyncio.sleep(0.05)
    process.kill()
    assert isinstance(await outcome(check), TooCostlyError)
    assert (await checker.check_program("account", GOOD, {}))["violations"] == []
