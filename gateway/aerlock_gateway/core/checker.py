"""Checks sources, schemas and inputs outside of this process, each account in its turn."""

import asyncio
import json
from collections import OrderedDict, deque
from typing import Any, Final

from aerlock_gateway.core.checker_worker import TooCostlyError, Worker
from aerlock_gateway.errors import ExhaustedError

__all__ = ["Checker", "TooCostlyError"]

_PROCESSES: Final = 2
_MOST_WAITING: Final = 1_000
_LARGEST_WAITING: Final = 64 << 20


class Checker:
    """A few processes, of which one account has all but one at most.

    What an account asks for waits in its own queue, and the queues have turns: many or
    slow checks of one account delay another's by one check.
    """

    def __init__(self, processes: int = _PROCESSES) -> None:
        self._per_account = max(1, processes - 1)
        self._idle = [Worker() for _ in range(processes)]
        self._workers = tuple(self._idle)
        self._queues: OrderedDict[str, _Queue] = OrderedDict()

    async def start(self) -> None:
        """Starts one process ahead of the first request."""
        await self.check_program("", {}, {})

    async def close(self) -> None:
        """Ends the processes."""
        await asyncio.gather(*(worker.close() for worker in self._workers))

    async def check_program(
        self, account: str, files: dict[str, str], schemas: dict[str, str]
    ) -> dict[str, Any]:
        """Returns violations, signature and parameters of a program.

        ``files`` has the source text of each file by its name, ``schemas`` the text of each schema by field.
        Raises `TooCostlyError`, `ExhaustedError` and `UnavailableError`.
        """
        return await self._ask(account, {"check": "program", "files": files, "schemas": schemas})

    async def check_inputs(self, account: str, schema: str, inputs: str) -> dict[str, Any]:
        """Returns violations and defaults for inputs, given as JSON text.

        Raises `TooCostlyError`, `ExhaustedError` and `UnavailableError`.
        """
        return await self._ask(account, {"check": "inputs", "schema": schema, "inputs": inputs})

    async def _ask(self, account: str, request: dict[str, Any]) -> dict[str, Any]:
        body = json.dumps(request).encode()
        queue = self._queues.setdefault(account, _Queue())
        if len(queue.waiting) >= _MOST_WAITING or queue.size + len(body) > _LARGEST_WAITING:
            raise ExhaustedError(
                "too much of this account waits to be checked; try again when some of it is done",
                reason="CHECKS_PENDING",
                retry_seconds=1,
            )
        queue.size += len(body)
        try:
            worker = await self._take(queue)
            try:
                return await worker.ask(body)
            finally:
                self._give_back(queue, worker)
        finally:
            queue.size -= len(body)
            if queue.is_empty and self._queues.get(account) is queue:
                del self._queues[account]

    async def _take(self, queue: "_Queue") -> Worker:
        """Waits for a process and the account's turn."""
        turn: asyncio.Future[Worker] = asyncio.get_running_loop().create_future()
        queue.waiting.append(turn)
        self._hand_out()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                queue.waiting.remove(turn)
            else:  # it had its turn in the same moment
                self._give_back(queue, turn.result())
            raise

    def _give_back(self, queue: "_Queue", worker: Worker) -> None:
        queue.running -= 1
        self._idle.append(worker)
        self._hand_out()

    def _hand_out(self) -> None:
        """Gives idle processes to the accounts in turn."""
        while self._idle and (found := self._next()):
            queue, turn = found
            queue.waiting.remove(turn)
            queue.running += 1
            turn.set_result(self._idle.pop())

    def _next(self) -> "tuple[_Queue, asyncio.Future[Worker]] | None":
        for account, queue in self._queues.items():
            # Whoever was cancelled takes itself out of the queue as soon as it runs again.
            turn = next((turn for turn in queue.waiting if not turn.cancelled()), None)
            if turn and queue.running < self._per_account:
                self._queues.move_to_end(account)
                return queue, turn
        return None


class _Queue:
    """What one account waits for, what it has running, and the bytes of both."""

    def __init__(self) -> None:
        self.waiting: deque[asyncio.Future[Worker]] = deque()
        self.running = 0
        self.size = 0

    @property
    def is_empty(self) -> bool:
        return not self.waiting and not self.running
