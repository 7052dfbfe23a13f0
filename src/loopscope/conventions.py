"""Every span, attribute and link name that loopscope writes, once."""

from __future__ import annotations

SCOPE = "loopscope"
VERSION = "0.1.0"
SCHEMA_URL = "https://opentelemetry.io/schemas/1.37.0"

# span names: the prefix before the qualname
TASK_SPAN = "task "
STEP_SPAN = "step "
STEPS_SPAN = "steps "

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

# links
LINK = "asyncio.link"
WOKEN_BY = "woken_by"
PREVIOUS_SEGMENT = "previous_segment"
CREATED_BY = "created_by"

# OpenTelemetry's own
THREAD_ID = "thread.id"
THREAD_NAME = "thread.name"
CODE_FUNCTION = "code.function.name"
CODE_FILE = "code.file.path"
CODE_LINE = "code.line.number"
ERROR_TYPE = "error.type"
