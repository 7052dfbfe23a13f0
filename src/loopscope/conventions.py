"""Every span, attribute and link name that loopscope writes, once."""

from __future__ import annotations

SCOPE = "loopscope"
VERSION = "0.1.0"
SCHEMA_URL = "https://opentelemetry.io/schemas/1.37.0"

# span names: the prefix before the qualname
TASK_SPAN = "task "
STEP_SPAN = "step "
STEPS_SPAN = "steps "
READY_SPAN = "ready "
WAIT_SPAN = "wait "
EXECUTOR_SPAN = "executor "

# task spans
TASK_ID = "asyncio.task.id"
TASK_NAME = "asyncio.task.name"
TASK_STATE = "asyncio.task.state"
TASK_STEP_COUNT = "asyncio.task.step.count"
TASK_STEP_MISSING = "asyncio.task.step.missing"
TASK_STEP_MAX = "asyncio.task.step.max_duration"
TASK_RUNNING = "asyncio.task.running.duration"
TASK_READY = "asyncio.task.ready.duration"
TASK_WAITING = "asyncio.task.waiting.duration"
TASK_CREATOR_ID = "asyncio.task.creator.id"
TASK_CREATOR_NAME = "asyncio.task.creator.name"
TASK_LATE = "asyncio.task.seen_late"
TASK_AWAITING = "asyncio.task.awaiting"
TASK_SPANS_DROPPED = "asyncio.task.span.dropped"
TASK_MISHAP = "asyncio.task.mishap"
CANCEL_REQUESTED_BY = "asyncio.task.cancel.requested_by"
CANCEL_TASK = "asyncio.task.cancel.task"
CANCEL_PLACE = "asyncio.task.cancel.place"
CANCEL_MESSAGE = "asyncio.task.cancel.message"
CANCEL_LATENCY = "asyncio.task.cancel.latency"
CANCEL_SWALLOWED = "asyncio.task.cancel.swallowed"
LOOP_ID = "asyncio.loop.id"

# step spans
STEP_INDEX = "asyncio.step.index"
STEP_OUTCOME = "asyncio.step.outcome"
STEP_READY = "asyncio.step.ready.duration"
STEP_AWAITING = "asyncio.step.awaiting"
STEP_SHARED = "asyncio.step.shared"
STEP_WAKER_KIND = "asyncio.step.waker.kind"
STEP_WAKER_NAME = "asyncio.step.waker.name"
STEP_WAKER_TASK = "asyncio.step.waker.task"
STEP_COUNT = "asyncio.step.count"
STEP_RUNNING = "asyncio.step.running.duration"
STEP_UNPOLLED = "asyncio.step.unpolled.duration"
STEP_UNPOLLED_ESTIMATED = "asyncio.step.unpolled.estimated"
DELAYED_BY_NAME = "asyncio.step.delayed_by.name"
DELAYED_BY_TASK = "asyncio.step.delayed_by.task"
DELAYED_BY_DURATION = "asyncio.step.delayed_by.duration"
DELAYED_BY_COUNT = "asyncio.step.delayed_by.count"
DELAYED_BY_FUNCTION = "asyncio.step.delayed_by.function"
DELAYED_BY_PLACE = "asyncio.step.delayed_by.place"
DELAYED_COUNT = "asyncio.step.delayed.count"
DELAYED_DURATION = "asyncio.step.delayed.duration"

# what a step waits for
WAIT_PLACE = "asyncio.wait.place"
WAIT_SLEEP = "asyncio.wait.sleep.delay"
WAIT_TIMEOUT = "asyncio.wait.timeout"
WAIT_COUNT = "asyncio.wait.count"
WAIT_LAST = "asyncio.wait.last"
WAIT_QUEUE_SIZE = "asyncio.wait.queue.size"
WAIT_QUEUE_BOUND = "asyncio.wait.queue.bound"
WAIT_WAITERS = "asyncio.wait.waiters"
WAIT_HOLDER = "asyncio.wait.lock.holder"
WAIT_PEER = "asyncio.wait.peer"
WAIT_CHAIN = "asyncio.wait.chain"

# executor spans
EXECUTOR_QUEUE = "asyncio.executor.queue.duration"
EXECUTOR_RUNNING = "asyncio.executor.running.duration"

# events
STALL = "asyncio.stall"
STALL_CAUSE = "asyncio.stall.cause"
STALL_HELD = "asyncio.stall.held"

# links
LINK = "asyncio.link"
WOKEN_BY = "woken_by"
PREVIOUS_SEGMENT = "previous_segment"
CREATED_BY = "created_by"
DELAYED_BY = "delayed_by"

# OpenTelemetry's own
THREAD_ID = "thread.id"
THREAD_NAME = "thread.name"
CODE_FUNCTION = "code.function.name"
CODE_FILE = "code.file.path"
CODE_LINE = "code.line.number"
CODE_STACKTRACE = "code.stacktrace"
ERROR_TYPE = "error.type"
