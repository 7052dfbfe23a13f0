"""Every span, attribute, metric and link name that loopscope writes, once, and what it says.

CONVENTIONS.md is made of this by `make pages`; what a metric says stands in `pipeline.metrics.instruments`.
"""

from __future__ import annotations

SCOPE = "loopscope"
VERSION = "0.1.0"
SCHEMA_URL = "https://opentelemetry.io/schemas/1.37.0"

# spans: the name before the task function's qualname
#: a task, from its creation to the end of its last step, or what it did for one trace (a visit); the task
#: function's qualname follows
TASK_SPAN = "task "
#: one step of a task: an uninterrupted run between two suspensions; under its task's span
STEP_SPAN = "step "
#: neighbouring fast steps of one task that share a span, because there were too many
STEPS_SPAN = "steps "
#: the time from when a task could run to its step; with DETAIL=states only
READY_SPAN = "ready "
#: the time that a task waited, with what it awaited as name; with DETAIL=states only
WAIT_SPAN = "wait "
#: a function handed to an executor, from submission to its end; under the task that submitted it
EXECUTOR_SPAN = "executor "

# task spans
#: the task's number, counted up within the process
TASK_ID = "asyncio.task.id"
#: its name, read at the end, up to 1,000 characters; on step spans too
TASK_NAME = "asyncio.task.name"
#: `returned`, `raised`, `cancelled` or `destroyed`; of a task that lives on `waiting`, `ready` or `running`
TASK_STATE = "asyncio.task.state"
#: steps in this span, those without a span of their own too
TASK_STEP_COUNT = "asyncio.task.step.count"
#: steps of the task that were lost before they were read
TASK_STEP_MISSING = "asyncio.task.step.missing"
#: duration of its longest step, in seconds
TASK_STEP_MAX = "asyncio.task.step.max_duration"
#: seconds that it held the thread; the three add up to the span
TASK_RUNNING = "asyncio.task.running.duration"
#: seconds that it could run and did not
TASK_READY = "asyncio.task.ready.duration"
#: seconds that it was suspended on something that had not happened
TASK_WAITING = "asyncio.task.waiting.duration"
#: number of the task that created it
TASK_CREATOR_ID = "asyncio.task.creator.id"
#: name of the task that created it, if that is still known
TASK_CREATOR_NAME = "asyncio.task.creator.name"
#: true: it was there before loopscope was switched on, and is told from then on
TASK_LATE = "asyncio.task.seen_late"
#: what it waits for at the end of a segment, or of the program
TASK_AWAITING = "asyncio.task.awaiting"
#: spans that the trace has lost so far, because it was too large, or too many came
TASK_SPANS_DROPPED = "asyncio.task.span.dropped"
#: how much detail its trace had when it was told with less than all, because too many spans came or it was nearly
#: full: 1 fast undelayed steps share spans, 2 quick tasks of loopscope's own traces have no steps, 3 nor a span, 4 fast
#: undelayed steps of the application's traces share spans; of the metric the level now, 0 is all
DETAIL_LEVEL = "loopscope.detail.level"
#: event on a task span: the level changed
DETAIL = "loopscope.detail"
#: `never_retrieved` (its exception), `never_awaited` (a coroutine), `destroyed_pending`, separated by commas
TASK_MISHAP = "asyncio.task.mishap"
#: function that asked for the cancellation, or `timeout`
CANCEL_REQUESTED_BY = "asyncio.task.cancel.requested_by"
#: name of the task that asked
CANCEL_TASK = "asyncio.task.cancel.task"
#: file:line where it was asked
CANCEL_PLACE = "asyncio.task.cancel.place"
#: the message given to `cancel()`
CANCEL_MESSAGE = "asyncio.task.cancel.message"
#: seconds from the request to the end of the task
CANCEL_LATENCY = "asyncio.task.cancel.latency"
#: true: it ended otherwise than cancelled
CANCEL_SWALLOWED = "asyncio.task.cancel.swallowed"
#: the event loop's number, counted up within the process
LOOP_ID = "asyncio.loop.id"

# step spans
#: the step's number within the task, from 0; of coalesced steps the first's; on executor spans the submitting
#: step's
STEP_INDEX = "asyncio.step.index"
#: `suspended`, `yielded` (a bare yield such as `sleep(0)`), `returned`, `raised` or `cancelled`
STEP_OUTCOME = "asyncio.step.outcome"
#: seconds from when it could run to when it ran; of coalesced steps their sum
STEP_READY = "asyncio.step.ready.duration"
#: what it suspended on: the innermost awaited function, `task …`, `executor …`, or the future's type
STEP_AWAITING = "asyncio.step.awaiting"
#: true: the step worked for several traces and stands in each
STEP_SHARED = "asyncio.step.shared"
#: what made it ready: `start`, `task`, `timer`, `io`, `thread`, `callback`, `cancel` or `yield`
STEP_WAKER_KIND = "asyncio.step.waker.kind"
#: the waking coroutine or function; for `cancel` who asked
STEP_WAKER_NAME = "asyncio.step.waker.name"
#: name of the waking task
STEP_WAKER_TASK = "asyncio.step.waker.task"
#: how many steps share the span
STEP_COUNT = "asyncio.step.count"
#: seconds that the coalesced steps ran together
STEP_RUNNING = "asyncio.step.running.duration"
#: after I/O: seconds, at most, that the bytes may have come before the look that found them, because the loop was too
#: busy to look; the task was ready from that look on
STEP_UNPOLLED = "asyncio.step.unpolled.duration"
#: true: that is a guess (uvloop)
STEP_UNPOLLED_ESTIMATED = "asyncio.step.unpolled.estimated"
#: task function whose step held the thread longest while this one was ready; `burst …` of many short ones, with the
#: step that did little else than create them; `callback`
DELAYED_BY_NAME = "asyncio.step.delayed_by.name"
#: that task's name
DELAYED_BY_TASK = "asyncio.step.delayed_by.task"
#: seconds that it held the thread meanwhile
DELAYED_BY_DURATION = "asyncio.step.delayed_by.duration"
#: steps in the burst
DELAYED_BY_COUNT = "asyncio.step.delayed_by.count"
#: function that was seen on the thread's stack
DELAYED_BY_FUNCTION = "asyncio.step.delayed_by.function"
#: file:line of it
DELAYED_BY_PLACE = "asyncio.step.delayed_by.place"
#: on the culprit: how many tasks it kept waiting
DELAYED_COUNT = "asyncio.step.delayed.count"
#: on the culprit: for how many task-seconds
DELAYED_DURATION = "asyncio.step.delayed.duration"

# what a step waits for
#: file:line where the lock, queue or the like was created
WAIT_PLACE = "asyncio.wait.place"
#: the delay given to `asyncio.sleep`, in seconds
WAIT_SLEEP = "asyncio.wait.sleep.delay"
#: seconds until the innermost timeout around it expires
WAIT_TIMEOUT = "asyncio.wait.timeout"
#: how many a gather or wait is for
WAIT_COUNT = "asyncio.wait.count"
#: on the step after a gather or wait: name of the task that ended last
WAIT_LAST = "asyncio.wait.last"
#: items in the queue
WAIT_QUEUE_SIZE = "asyncio.wait.queue.size"
#: its bound, 0 for none
WAIT_QUEUE_BOUND = "asyncio.wait.queue.bound"
#: how many wait for it, this one among them
WAIT_WAITERS = "asyncio.wait.waiters"
#: on the step that then got the lock: name of the task that had held it
WAIT_HOLDER = "asyncio.wait.lock.holder"
#: the stream's other end
WAIT_PEER = "asyncio.wait.peer"
#: the application's functions that await each other, down to what is awaited
WAIT_CHAIN = "asyncio.wait.chain"
#: the subprocess's id
WAIT_PID = "asyncio.wait.pid"
#: the host that is looked up
WAIT_HOST = "asyncio.wait.host"

# executor spans
#: seconds in the executor's queue; thread pools only
EXECUTOR_QUEUE = "asyncio.executor.queue.duration"
#: seconds that it ran; thread pools only
EXECUTOR_RUNNING = "asyncio.executor.running.duration"

# events
#: event on a step: it held the thread for longer than the stall threshold; one for each look at it
STALL = "asyncio.stall"
#: `python`, `gil`, `gc`, `blocking` or `unscheduled`, absent where it cannot be told; of the metric then `unknown`
STALL_CAUSE = "asyncio.stall.cause"
#: seconds that it had held the thread when it was looked at
STALL_HELD = "asyncio.stall.held"
#: event on a step: it printed a line; under `loopscope run` and in trace files only
PRINTED = "asyncio.printed"
#: `stdout` or `stderr`
PRINTED_STREAM = "asyncio.printed.stream"
#: the line
PRINTED_TEXT = "asyncio.printed.text"

# metrics, but those that attributes name too: CANCEL_{LATENCY,SWALLOWED}, STEP_{COUNT,READY}, DELAYED_COUNT, WAIT_COUNT
TASK_COUNT = "asyncio.task.count"
TASK_EXITS = "asyncio.task.exits"
TASK_MISHAPS = "asyncio.task.mishaps"
TASK_CANCELLATIONS = "asyncio.task.cancellations"
TASK_WAITING_TIME = "asyncio.task.waiting.time"
STEP_TIME = "asyncio.step.time"
STEP_DURATION = "asyncio.step.duration"
DELAYED_TIME = "asyncio.step.delayed.time"
WAIT_TIME = "asyncio.wait.time"
LOOP_TIME = "asyncio.eventloop.time"
LOOP_UTILIZATION = "asyncio.eventloop.utilization"
#: on task spans: share of its loop's busy time, in the span's time, that is in recorded steps and named callbacks
LOOP_COVERAGE = "asyncio.eventloop.coverage"
LOOP_DELAY_P50 = "asyncio.eventloop.delay.p50"
LOOP_DELAY_P90 = "asyncio.eventloop.delay.p90"
LOOP_DELAY_P99 = "asyncio.eventloop.delay.p99"
LOOP_DELAY_MAX = "asyncio.eventloop.delay.max"
LOOP_STALLS = "asyncio.eventloop.stalls"
RECORD_DROPPED = "loopscope.record.dropped"
SPAN_EXPORTED = "loopscope.span.exported"
SPAN_COALESCED = "loopscope.span.coalesced"
SPAN_DROPPED = "loopscope.span.dropped"
BUFFER_USAGE = "loopscope.buffer.usage"
DETAIL_CHANGES = "loopscope.detail.changes"

# attributes of metrics alone
#: `running` or `ready`
STEP_STATE = "asyncio.step.state"
#: `active` or `idle`
LOOP_STATE = "asyncio.eventloop.state"
#: true: of loops that do not show their looks at the selector (uvloop)
LOOP_TIME_ESTIMATED = "asyncio.eventloop.time.estimated"
#: file:line where the thread was seen
STALL_PLACE = "asyncio.stall.place"
#: why spans were lost: `export_failed`, `trace_size`, and others; why detail changed: `rate`, `buffer`, `cpu`, `calm`
CAUSE = "loopscope.cause"

# links
#: what a link is for: one of the following
LINK = "asyncio.link"
#: to the step that woke this one
WOKEN_BY = "woken_by"
#: to the task's span before this one
PREVIOUS_SEGMENT = "previous_segment"
#: to the span, in another trace, that the task was created under
CREATED_BY = "created_by"
#: to the step that delayed this one
DELAYED_BY = "delayed_by"

# OpenTelemetry's own
#: on task, step and executor spans
THREAD_ID = "thread.id"
#: on task and executor spans
THREAD_NAME = "thread.name"
#: on a task span module.qualname of its coroutine; on a step span the application's function that awaits; on an
#: executor span what was handed over
CODE_FUNCTION = "code.function.name"
#: file of it
CODE_FILE = "code.file.path"
#: line of it: the function's first, or that of the await
CODE_LINE = "code.line.number"
#: on `asyncio.stall`: the thread's stack, innermost last
CODE_STACKTRACE = "code.stacktrace"
#: the exception's type, where a task, step or handed-over function raised one
ERROR_TYPE = "error.type"
