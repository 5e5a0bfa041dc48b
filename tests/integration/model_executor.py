"""An executor whose programs and faults a test drives, and which knows what truly happened."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import grpc

from aerlock.v1.jobs_pb2 import (
    FAILURE_REASON_EXECUTOR_LOST,
    JOB_STATE_CANCELLED,
    JOB_STATE_FAILED,
    JobFailure,
)
from aerlock.v1.values_pb2 import Value
from aerlock_executor.v1 import executor_pb2, executor_pb2_grpc
from aerlock_executor.v1.executor_pb2 import TaskEnded, TaskEvent, TaskStarted

# Its methods are named as in the proto.
# ruff: noqa: N802

UNAVAILABLE, NOT_FOUND = grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.NOT_FOUND
INVALID, EXHAUSTED = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED


@dataclass
class Task:
    """One run of a task: its spool, and what the executor was asked to do with it."""

    task_id: str
    spool: list[TaskEvent] = field(default_factory=list)

    def append(self, event: TaskEvent) -> None:
        event.offset = len(self.spool) + 1
        event.time.FromSeconds(1)
        self.spool.append(event)

    @property
    def end(self) -> TaskEnded | None:
        if self.spool and self.spool[-1].HasField("ended"):
            return self.spool[-1].ended
        return None

    @property
    def results(self) -> list[int]:
        return [event.interim_result.int_value for event in self.spool if event.HasField("interim_result")]


class ModelExecutor(executor_pb2_grpc.ExecutorServiceServicer):
    """Serves tasks as the contract says, but where it was told to do wrong."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.tasks: dict[str, Task] = {}
        """The tasks whose spools are not deleted."""
        self.runs: dict[str, list[Task]] = {}
        """Every run that there ever was of a task, also of those whose spools are gone."""
        self.acknowledged: list[tuple[str, int]] = []
        self.gaps: set[str] = set()
        """Tasks of whose next page the first event is left out."""
        self.repeats = False
        """Whether streams begin before the offset that was asked for."""
        self._breaks = 0
        self._changed = asyncio.Event()

    def produce(self, task_id: str, event: TaskEvent) -> bool:
        """Appends an event of a running task; returns whether there is one."""
        task = self.tasks.get(task_id)
        if task is None or task.end is not None:
            return False
        task.append(event)
        self.wake()
        return True

    def break_streams(self) -> None:
        self._breaks += 1
        self.wake()

    def restart(self, keeps_spools: bool) -> None:
        """What a new process makes of the spools that it finds, if it finds them."""
        if not keeps_spools:
            self.tasks.clear()
        failure = JobFailure(reason=FAILURE_REASON_EXECUTOR_LOST, message="The executor ended.")
        for task in self.tasks.values():
            if task.end is None:
                task.append(TaskEvent(ended=TaskEnded(state=JOB_STATE_FAILED, failure=failure)))

    def wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def GetExecutorInfo(self, request, context):
        return executor_pb2.GetExecutorInfoResponse(slots=self.slots, isolation_tier="full")

    async def ListTasks(self, request, context):
        tasks = [
            executor_pb2.TaskSummary(
                task_id=task.task_id, last_offset=len(task.spool), ended=task.end is not None
            )
            for task in self.tasks.values()
        ]
        return executor_pb2.ListTasksResponse(tasks=tasks)

    async def StartTask(self, request, context):
        task = self.tasks.get(request.task_id)
        if task is None:
            if sum(task.end is None for task in self.tasks.values()) >= self.slots:
                await context.abort(EXHAUSTED, "every slot is taken")
            task = self.tasks[request.task_id] = Task(request.task_id)
            task.append(TaskEvent(started=TaskStarted()))
            self.runs.setdefault(request.task_id, []).append(task)
        async for events in self._follow(task, 0, context):
            yield executor_pb2.StartTaskResponse(events=events)

    async def AttachTask(self, request, context):
        task = self.tasks.get(request.task_id)
        if task is None:
            await context.abort(NOT_FOUND, "no such task")
        if request.after_offset > len(task.spool):
            await context.abort(INVALID, "no such offset")
        async for events in self._follow(task, request.after_offset, context):
            yield executor_pb2.AttachTaskResponse(events=events)

    async def AckTask(self, request, context):
        self.acknowledged.append((request.task_id, request.offset))
        task = self.tasks.get(request.task_id)
        if task is not None and task.end is not None and request.offset >= len(task.spool):
            del self.tasks[request.task_id]
            self.wake()
        return executor_pb2.AckTaskResponse()

    async def CancelTask(self, request, context):
        if request.task_id not in self.tasks:
            await context.abort(NOT_FOUND, "no such task")
        self.produce(request.task_id, TaskEvent(ended=TaskEnded(state=JOB_STATE_CANCELLED)))
        return executor_pb2.CancelTaskResponse()

    async def _follow(self, task: Task, after: int, context):
        breaks = self._breaks
        if self.repeats:
            after = max(0, after - 2)
        while task.task_id in self.tasks:
            changed = self._changed
            if breaks != self._breaks:
                await context.abort(UNAVAILABLE, "the stream breaks")
            if page := self._page(task, after):
                after = page[-1].offset
                yield page
            elif task.end is not None:
                return
            else:
                await changed.wait()

    def _page(self, task: Task, after: int) -> Sequence[TaskEvent]:
        # Small, so that a log arrives in many pieces.
        page = task.spool[after : after + 3]
        if len(page) > 1 and task.task_id in self.gaps:
            return page[1:]
        return page


def result(number: int) -> TaskEvent:
    """An interim result."""
    return TaskEvent(interim_result=Value(int_value=number))
