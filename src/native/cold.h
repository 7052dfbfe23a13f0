/* What the background thread does of an ordinary step, in C: the way from its record to its span's bytes.
 *
 * The pipeline in Python is the reference, and what the state is kept in: its objects' slots are read and written here
 * by their offsets. A step is ordinary where it ran within no other, and held its thread for no longer than anybody is
 * told of: then its life, who held the thread, and the sums are counted up here. Where besides it failed in nothing,
 * changed no span, and is told in a trace that is known, its span is made here too.
 * All of that is found out before anything is changed: what is not ordinary goes to the assembler untouched.
 *
 * taken.c     the type Ordinary: many records at a time
 * ordinary.c  whether a step is ordinary, and what follows
 * cold.c      the slots, and whole numbers in them
 * pieces.c    what is known of who held a thread
 * occupied.c  who held the thread: pipeline.occupancy and pipeline.culprits
 * blamed.c    who delayed a step
 * summed.c    the sums: pipeline.metrics
 * ways.c      whether and how a step is told: pipeline.spans
 * told.c      its span
 * coalesced.c the span that it shares
 * sent.c      a span's way out
 * placed.c    where the spans of the last steps are
 * lives.c     what is known of the tasks that live
 * asleep.c    what is known of one that waits, in few bytes
 * born.c      a task's birth
 * opened.c    a task's first task span
 * ended.c     a task's end, and its span
 */
#ifndef LOOPSCOPE_COLD_H
#define LOOPSCOPE_COLD_H

#include "native.h"

/* ---------------------------------------------------------------- slots */

#define TASK_LIFE(X) \
    X(awaiting) X(awaits) X(cancel) X(contends) X(creator) X(id) X(late) X(mishaps) X(name) X(notes) X(place) X(pulse) \
    X(span) X(state) X(where)
#define TASK_LIFE_WHOLES(X) \
    X(before) X(born) X(cancel_by) X(cancel_step) X(cancel_time) X(counted) X(creator_step) X(last_end) X(missing) \
    X(ready) X(running) X(steps)
#define STEP(X) \
    X(where) X(waker_kind) X(waker) X(waker_name) X(outcome) X(awaiting) X(point) X(span) X(activated) X(span_after) \
    X(error) X(polls) X(cancel) X(unpolled) X(unpolled_guessed) X(waited) X(delay) X(harm) X(looks) X(printed)
#define STEP_WHOLES(X) X(end) X(index) X(lasti) X(ready) X(start) X(waker_step)
#define NOTES(X) X(above) X(excluded) X(home) X(link) X(own) X(reserved) X(under) X(visits)
#define NOTES_WHOLES(X) X(ahead) X(idle)
#define TRACE(X) X(attributes) X(local) X(own) X(sampled) X(trace_id) X(trace_state)
#define TRACE_WHOLES(X) X(born) X(last_end) X(lost) X(open) X(spans)
#define VISIT(X) \
    X(_whose) X(awaited) X(error) X(group) X(held) X(links) X(local) X(outcome) X(parent_id) X(parent_remote) X(quiet) \
    X(room) X(silent) X(span_id) X(trace) X(untold)
#define VISIT_WHOLES(X) \
    X(cursor) X(detail) X(ended) X(first) X(last) X(left) X(longest) X(ready) X(running) X(segment) X(start) X(steps) \
    X(unkept) X(waiting) X(written)
#define WHOSE(X) X(encoded) X(name) X(where)
#define GROUP(X) X(room) X(shared) X(span_id) X(step)
#define GROUP_WHOLES(X) X(count) X(end) X(index) X(ready) X(running) X(start)
#define OCCUPANCY(X) X(_longs) X(_rows) X(_shown) X(_whose)
#define OCCUPANCY_WHOLES(X) X(_long) X(_short) X(_until)
#define LOOP_TIME(X) X(_before) X(estimated)
#define LOOP_TIME_WHOLES(X) X(_busy) X(_first) X(_until) X(covered) X(idle)
#define HISTOGRAM(X) X(_counts) X(_max)
#define NO_SLOTS(X)
#define HARM_WHOLES(X) X(count) X(duration)
#define WINDOW(X) X(_histogram)
#define TALLY(X) X(_entries)
#define SUMS(X) X(awaits) X(delays) X(exits) X(sample) X(waits) X(delayed)
#define SUMS_WHOLES(X) X(alive) X(ready) X(running) X(steps)
#define RECENT(X) X(_items) X(_order)
#define RECENT_WHOLES(X) X(_size)
#define BUCKET(X) X(_burst) X(_debt) X(rate) X(room)
#define BUCKET_WHOLES(X) X(now)
#define BUDGET(X) X(_changes) X(_spans)
#define BUDGET_WHOLES(X) X(level)
#define BATCH(X) X(items) X(target)
#define BATCH_WHOLES(X) X(bytes) X(since)

#define SLOTS(Name, FIELDS, WHOLES) typedef struct { PyTypeObject *type; FIELDS(AS_OFFSET) WHOLES(AS_WHOLE) } Name;
SLOTS(TaskLifeSlots, TASK_LIFE, TASK_LIFE_WHOLES)
SLOTS(StepSlots, STEP, STEP_WHOLES)
SLOTS(NotesSlots, NOTES, NOTES_WHOLES)
SLOTS(TraceSlots, TRACE, TRACE_WHOLES)
SLOTS(VisitSlots, VISIT, VISIT_WHOLES)
SLOTS(WhoseSlots, WHOSE, NO_WHOLES)
SLOTS(GroupSlots, GROUP, GROUP_WHOLES)
SLOTS(OccupancySlots, OCCUPANCY, OCCUPANCY_WHOLES)
SLOTS(LoopTimeSlots, LOOP_TIME, LOOP_TIME_WHOLES)
SLOTS(HistogramSlots, HISTOGRAM, NO_WHOLES)
SLOTS(HarmSlots, NO_SLOTS, HARM_WHOLES)
SLOTS(WindowSlots, WINDOW, NO_WHOLES)
SLOTS(TallySlots, TALLY, NO_WHOLES)
SLOTS(SumsSlots, SUMS, SUMS_WHOLES)
SLOTS(RecentSlots, RECENT, RECENT_WHOLES)
SLOTS(BucketSlots, BUCKET, BUCKET_WHOLES)
SLOTS(BudgetSlots, BUDGET, BUDGET_WHOLES)
SLOTS(BatchSlots, BATCH, BATCH_WHOLES)

/* Names of attributes, and texts of `conventions` and `model`. */
#define TEXTS(X) \
    X("loopscope.conventions", STEP_INDEX) X("loopscope.conventions", STEP_READY) \
    X("loopscope.conventions", STEP_UNPOLLED) X("loopscope.conventions", STEP_UNPOLLED_ESTIMATED) \
    X("loopscope.conventions", STEP_WAKER_TASK) X("loopscope.conventions", WAIT_PLACE) \
    X("loopscope.conventions", STEP_WAKER_NAME) X("loopscope.conventions", LINK) X("loopscope.conventions", WOKEN_BY) \
    X("loopscope.conventions", DELAYED_BY) \
    X("loopscope.conventions", DELAYED_BY_NAME) X("loopscope.conventions", DELAYED_BY_DURATION) \
    X("loopscope.conventions", DELAYED_BY_TASK) X("loopscope.conventions", DELAYED_BY_COUNT) \
    X("loopscope.conventions", DELAYED_BY_FUNCTION) X("loopscope.conventions", DELAYED_BY_PLACE) \
    X("loopscope.conventions", STEP_SPAN) X("loopscope.conventions", TASK_SPAN) X("loopscope.conventions", TASK_ID) \
    X("loopscope.conventions", TASK_NAME) X("loopscope.conventions", TASK_LATE) \
    X("loopscope.conventions", THREAD_ID) X("loopscope.conventions", LOOP_ID) \
    X("loopscope.conventions", TASK_STEP_MISSING) X("loopscope.conventions", TASK_STATE) \
    X("loopscope.conventions", TASK_STEP_COUNT) X("loopscope.conventions", TASK_RUNNING) \
    X("loopscope.conventions", TASK_READY) X("loopscope.conventions", TASK_WAITING) \
    X("loopscope.conventions", TASK_STEP_MAX) X("loopscope.conventions", LOOP_COVERAGE) \
    X("loopscope.conventions", TASK_SPANS_DROPPED) X("loopscope.conventions", DETAIL_LEVEL) \
    X("loopscope.conventions", TASK_CREATOR_ID) X("loopscope.conventions", TASK_CREATOR_NAME) \
    X("loopscope.model", RAISED) X("loopscope.model", CANCELLED) X("loopscope.conventions", WAIT_HOLDER) \
    X("loopscope.model", START) X("loopscope.model", TASK) X("loopscope.model", TIMER) \
    X("loopscope.model", IO) X("loopscope.model", THREAD) X("loopscope.model", CALLBACK) X("loopscope.model", YIELD) \
    X("loopscope.model", SUSPENDED) X("loopscope.pipeline.metrics.sums", UNKNOWN) \
    X("loopscope.pipeline.spans.visit", SPARED) X("loopscope.pipeline.spans.visit", CROWDED)

/* Whole numbers: those of the clock in nanoseconds. */
#define NUMBERS(X) \
    X(pause, "loopscope.pipeline.culprits", "_PAUSE") X(burst, "loopscope.pipeline.culprits", "_BURST") \
    X(named, "loopscope.pipeline.culprits", "_NAMED") X(part, "loopscope.pipeline.culprits", "_PART") \
    X(most, "loopscope.pipeline.culprits", "_MOST") X(late, "loopscope.pipeline.culprits", "_LATE") \
    X(back, "loopscope.pipeline.culprits", "_BACK") X(heavy, "loopscope.pipeline.export.outbox", "HEAVY") \
    X(kept, "loopscope.pipeline.occupancy", "_KEPT") X(all, "loopscope.pipeline.spans.quiet", "ALL") \
    X(fresh, "loopscope.pipeline.spans.traces", "FRESH") \
    X(second, "loopscope.pipeline.spans.traces", "SECOND") X(gap, "loopscope.pipeline.metrics.looptime", "GAP") \
    X(nested, "loopscope.pipeline.metrics.looptime", "NESTED") \
    X(quick, "loopscope.pipeline.spans.visit", "QUICK") X(birth, "loopscope.model", "BIRTH") \
    X(longest, "loopscope.pipeline.metrics.histogram", "_LONGEST") \
    X(parts, "loopscope.pipeline.metrics.histogram", "_PARTS") X(application, "loopscope.model", "APPLICATION") \
    X(full, "loopscope.model", "FULL") X(bare, "loopscope.model", "BARE") X(untold, "loopscope.model", "UNTOLD") \
    X(requests, "loopscope.model", "REQUESTS")

/* Names that are read as attributes. */
#define ASKED(X) \
    X(_batches) X(_forget) X(_grow) X(_outbox) X(add) X(close) X(closed) X(home) X(open) X(redeem) \
    X(coalesced) X(encoder) X(excluded) X(filled) X(is_remote) X(refused) \
    X(ended) X(file) X(hush) X(index) X(line) X(size) X(stepped) X(trace_flags) X(trace_id) X(waiting)

#define AS_NUMBER(name, module, constant) long long name;
#define AS_TEXT(module, name) PyObject *name;

/* Filled once, when the first Ordinary is made, and never freed. */
typedef struct {
    TaskLifeSlots life;
    StepSlots step;
    NotesSlots notes;
    TraceSlots trace;
    VisitSlots visit;
    WhoseSlots whose;
    GroupSlots group;
    OccupancySlots occupancy;
    LoopTimeSlots loop_time;
    HistogramSlots histogram;
    HarmSlots harm;
    WindowSlots window;
    TallySlots tally;
    SumsSlots sums;
    RecentSlots recent;
    BucketSlots bucket;
    BudgetSlots budget;
    BatchSlots batch;
    NUMBERS(AS_NUMBER)
    struct { TEXTS(AS_TEXT) } text;
    struct { ASKED(AS_OBJECT) } name;
    /* objects like those that are made here; see `copy` */
    PyObject *a_life, *a_notes, *a_trace, *a_visit, *a_whose, *a_step, *a_group;
    PyObject *a_long, *holder, *delay, *delayed_by_step, *function_of, *place_of;
    PyObject *kinds, *step_kind, *task_kind, *freed_by, *clear, *nothing;
    PyObject *empty; /* a text */
    /* kinds of pieces: see pipeline.occupancy */
    PyObject *kind_step, *kind_callback, *kind_idle, *kind_gap;
    /* those that are of no function */
    PyObject *of_callbacks, *of_idle, *of_gap;
} Cold;

extern Cold cold;

int cold_load(void);

/* ---------------------------------------------------------------- whole numbers */

/* -1 with an error set where it is none, or does not fit. */
static inline int
number(PyObject *object, long long *into)
{
    *into = whole(object);
    return *into == -1 && PyErr_Occurred() ? -1 : 0;
}

/* Sets a pair of numbers in a dict, into the same tuple if nobody else has it. */
int put_pair_of(PyObject *dict, PyObject *key, PyObject *before, long long first, long long second);

/* Two objects in a tuple: a new reference, NULL with an error set. */
static inline PyObject *
pair(PyObject *one, PyObject *other)
{
    return untracked(PyTuple_Pack(2, one, other));
}

/* (task, index), by which a step is known: a new reference, NULL with an error set. */
PyObject *key_of(PyObject *task, long long index);

/* Sets an item of a dict that the collector does not know of, and which begins to be tracked with some items. */
static inline int
put_untracked(PyObject *dict, PyObject *key, PyObject *value)
{
    int failed = PyDict_SetItem(dict, key, value);
    untracked(dict);
    return failed;
}

/* A new named tuple of this class. The references are taken over; where one is NULL, so is what it returns. */
PyObject *named_tuple(PyObject *type, Py_ssize_t count, ...);

/* A new object with the same values in its slots, of which the collector does not know; NULL with an error set. */
PyObject *copy(PyObject *object);

/* What a Recent remembers under a key: borrowed, NULL for nothing or with an error set. */
static inline PyObject *
recent_get(PyObject *recent, PyObject *key)
{
    return PyDict_GetItemWithError(SLOT(recent, cold.recent._items), key);
}

int recent_put(PyObject *recent, PyObject *key, PyObject *value);

/* What is awaited, as describe.awaited_name has it: borrowed, Py_None for nothing. */
PyObject *awaited_name(PyObject *awaited);

/* ---------------------------------------------------------------- ordinary.c */

/* The parts of a pipeline. They are there for as long as it is, and what is replaced in them is read anew. */
#define PARTS(X) \
    X(feed, "assembler", "feed") X(lives, "assembler", "lives") X(muted, "assembler", "muted") X(over, "assembler", "_over") \
    X(sink, "assembler", "_sink") X(lines, "printed", "_lines") X(tracer, "", "tracer") X(tasks, "tracer", "tasks") \
    X(looks, "stalls", "_looks") X(threads, "culprits", "_threads") X(turns, "culprits", "_turns") \
    X(blame, "culprits", "_blame") X(exported, "tracer.steps", "_exported") \
    X(loops, "metrics.sums.loops", "_loops") X(sums, "metrics", "sums") X(known, "tracer.kin", "lives") \
    X(names, "tracer.kin", "_ended") X(foreign, "tracer.traces", "_foreign") X(handoffs, "tracer", "_handoffs") \
    X(leaving, "tracer", "_leaving") \
    X(lost, "tracer", "_lost") X(ask_coverage, "tracer.tasks", "_coverage") X(making, "culprits._bursts", "born") \
    X(closed, "tracer._handoffs", "_closed") X(waiting, "tracer._handoffs", "_waiting") X(keeper, "tracer", "_quiet") \
    X(silenced, "tracer._quiet", "_silenced") \
    X(spans, "tracer", "steps") X(placed, "tracer.steps", "_placed") X(owed, "tracer.steps", "_owed") \
    X(held, "", "_held") X(budget, "", "budget") X(new_span_id, "tracer.steps", "_new_span_id") \
    X(ask_spare, "_provider", "spare") X(queue, "_source", "queue") \
    X(callback_at, "culprits", "_callback_at") X(unseen, "culprits", "_unseen") X(suspects, "", "_suspects") \
    X(stalled, "stalls", "_threads") \
    X(new_trace_id, "tracer.traces", "_new_trace_id") X(sampler, "tracer.traces", "_sample")

#define LIMITS(X) \
    X(threshold, "culprits", "_threshold") X(stall, "stalls", "_threshold") X(rotate, "tracer.traces", "_rotate") \
    X(steps, "tracer._caps", "steps") X(most, "tracer._caps", "most") X(room, "tracer._caps", "spans") \
    X(delay, "tracer._caps", "delay") \
    X(slow, "tracer._caps", "slow") X(hold, "tracer._caps", "hold") X(told, "tracer.steps", "_steps") \
    X(states, "tracer.steps", "_states") X(quiet, "tracer.tasks", "_slow") X(traces, "", "_spans")

#define AS_PART(name, owner, attribute) PyObject *name;
#define AS_LIMIT(name, owner, attribute) long long name;

/* What was found or made of these objects before, by their identity. It has references to all of them. */
typedef struct { PyObject *of[4], *found; long long at; } Memory;

enum { MEMORIES = 64, SPARES = 256 };

typedef struct {
    PyObject_HEAD
    PyObject *pipeline;
    /* of kinds of steps; of pieces, of spans' names and of bursts by their function */
    Memory kinds[MEMORIES], pieces[MEMORIES], names_of[MEMORIES], bursts[MEMORIES];
    /* where spans go, while records are taken: see find_batch. And how many spans a batch has at most */
    PyObject *outbox, *batch, *encoder;
    long long size;
    /* steps that were coalesced, and not counted yet: see tell_coalesced */
    long long coalesced;
    /* a Step that nobody has any more, to be filled anew; or NULL */
    PyObject *spare;
    /* tuples of what a loop's sums were before a step, to be filled anew */
    PyObject *spares[SPARES];
    int spared;
    /* ids of spans and traces that may be used, lists; NULL where each is to be asked for. And what the sampler says of a
     * root, NULL where it is to be asked */
    PyObject *span_ids, *trace_ids, *sampled;
    PARTS(AS_PART)
    LIMITS(AS_LIMIT)
} Ordinary;

/* Where something is remembered of these two, which may be the same. */
static inline Memory *
memory_of(Memory *memories, PyObject *one, PyObject *other)
{
    return &memories[((size_t)one >> 4 ^ (size_t)other >> 7) % MEMORIES];
}

/* Forgets what was remembered there. */
void memory_clear(Memory *memory);

/* Remembers what was found or made of these objects, whose reference is taken over, in the place of what was there: a new
 * reference. NULL, and then nothing is changed, where it is NULL with an error set. */
PyObject *memory_keep(Memory *memory, PyObject *const *of, size_t count, PyObject *found);

/* Items of a Delay: see model.py. */
enum { DELAY_NAME, DELAY_TASK, DELAY_DURATION, DELAY_STEPS, DELAY_FUNCTION, DELAY_PLACE, DELAY_BY };

/* What is done of its span: Python's tracer is asked, it gets one of its own, or is coalesced; OPENS: once the first
 * task span of its task is open; UNWANTED: no spans are made. */
enum { ASKS, TELLS, COALESCES, OPENS, UNWANTED };

/* A step on its way. All borrowed of its record, or of what is open, but for `life`, `waited` and `step`. */
typedef struct {
    PyObject *id, *where, *thread, *loop, *outcome, *awaiting, *point, *span, *activated, *after, *name;
    PyObject *state, *error, *polls;
    PyObject *kind, *waker, *waker_name;
    long long index, ready, start, end, last, lasti, waker_step;
    /* -1 where it does not apply; whether it is a guess */
    long long unpolled;
    int guessed;
    /* whether somebody is to blame that it was ready for so long, and since when */
    int delayed;
    long long since;
    PyObject *life, *notes, *trace, *visit, *occupancy, *loop_time;
    /* of a loop that does not show its looks: what says when its turn began and its last step ended; see last_turn */
    PyObject *turn;
    long long began, ended;
    /* the life of the waking task, NULL where it is unknown */
    PyObject *waker_life;
    PyObject *waited, *step;
    /* what is done of its span, and the level of detail at which it is coalesced */
    int way, level;
    /* it is worth telling, and its visit was not told until now: see Quiet.speak */
    int speaks;
} Passing;

/* Takes one record: 1 where it went its way here, 0 where to the assembler; -1 with an error set. */
int take(Ordinary *self, PyObject *record);

/* ---------------------------------------------------------------- pieces.c */

/* The columns of an Occupancy's rows: see pipeline.occupancy. */
enum { ROW_START, ROW_END, ROW_STEPS, ROW_ENDED, ROW_CALLBACKS, ROW_IDLE, ROW_GAP, WIDTH };

/* An Occupancy's pieces, while they are looked at or added to: until they are closed its rows cannot be moved. */
typedef struct { PyObject *occupancy, *whose; Py_buffer view; long long (*row)[WIDTH]; } Pieces;

/* -1 with an error set, where there is nothing to close. */
int pieces_open(Pieces *pieces, PyObject *occupancy);
void pieces_close(Pieces *pieces);

/* Has the Occupancy move its rows, or make room for more, by this method of its. */
int pieces_move(Pieces *pieces, PyObject *method);

/* How many there are: the row after the last has the sums of all. */
static inline Py_ssize_t
pieces_count(const Pieces *pieces)
{
    return PyList_GET_SIZE(pieces->whose);
}

/* The sum in which a kind of pieces, which is a number, counts. */
static inline int
sum_of(PyObject *kind)
{
    long long number = whole(kind);
    return number == 0 ? ROW_STEPS : (int)number + ROW_ENDED;
}

/* ---------------------------------------------------------------- occupied.c */

/* 1 where who held the thread is nothing out of the ordinary; -1 with an error set. */
int occupied_fits(Ordinary *self, Passing *passing);

int occupied(Ordinary *self, Passing *passing);

/* ---------------------------------------------------------------- blamed.c */

/* Culprits.coverage: a new reference, None where nobody knows. */
PyObject *coverage(Ordinary *self, PyObject *thread, long long since);

/* Culprits._blame, after what held the thread up to the step's start is accounted for. */
int blame(Ordinary *self, Passing *passing);

/* ---------------------------------------------------------------- summed.c */

int summed_fits(Ordinary *self, Passing *passing);

int summed(Ordinary *self, Passing *passing);

/* ---------------------------------------------------------------- ways.c */

int told_fits(Ordinary *self, Passing *passing);

/* Which trace and visit the step is told in, and how. */
int find_place(Ordinary *self, Passing *passing);

/* Whether a visit may go untold yet: quickly over so far, none of its steps has a span, and the budget asks for it. */
int is_untold(PyObject *visit);

/* Whether a task's steps are told at all. */
int is_excluded(PyObject *life);

/* An attribute that is a whole number; -1 with an error set. */
long long ask_whole(PyObject *object, PyObject *name);

/* The life of a task that is known by its id, dead or alive: borrowed, NULL for none or with an error set. */
PyObject *known(Ordinary *self, PyObject *id);

/* ---------------------------------------------------------------- told.c */

int told(Ordinary *self, Passing *passing);

/* Whether links may lead to the visit's spans: nobody shall link to what may not be told. */
int is_linked(PyObject *visit);

/* StepSpans._remember: where the span of a step of this task is. */
int remember(Ordinary *self, PyObject *id, long long index, PyObject *trace, PyObject *span_id);

/* Attributes on their way, each in a field of this tag. Its bytes are to be ended. */
typedef struct { PyObject *encoder; char tag; Bytes bytes; } Said;

void said_begin(Said *said, PyObject *encoder, char tag);

/* Adds an attribute, or a list or tuple of them; say_if: if it is not nothing. */
int say(Said *said, PyObject *key, PyObject *value);
int say_all(Said *said, PyObject *more);
int say_if(Said *said, PyObject *key, PyObject *value);
int say_whole(Said *said, PyObject *key, long long value);
int say_seconds(Said *said, PyObject *key, long long nanoseconds);

/* ---------------------------------------------------------------- coalesced.c */

/* The step is held, and the one that was held before shares the span of the group: StepSpans._coalesce. */
int coalesce(Ordinary *self, Passing *passing);

/* StepSpans.coalesced is counted up by those that were coalesced here since it was last. */
int tell_coalesced(Ordinary *self);

/* ---------------------------------------------------------------- asleep.c */

typedef struct Asleep Asleep;

int asleep_load(void);

/* NULL, without an error, where it has to stay as it is: it is not a TaskLife, others have it or a part of it, there is
 * no memory. It takes no reference to the life, but to what that refers to. */
Asleep *asleep_make(PyObject *life);

/* The TaskLife as it was: a new reference; NULL with an error set. */
PyObject *asleep_wake(Asleep *asleep);

void asleep_free(Asleep *asleep);

/* ---------------------------------------------------------------- lives.c */

typedef struct Lives Lives;

/* Borrowed: NULL where none is known, or with an error set. */
PyObject *lives_get(Lives *self, PyObject *id);

int lives_has(Lives *self, PyObject *id);
int lives_put(Lives *self, PyObject *id, PyObject *life);
int lives_drop(Lives *self, PyObject *id);

/* Packs what is known of some that wait, where too many are awake. */
void lives_rest(Lives *self);

/* While some are lent, as borrowed references, none is packed. */
void lives_lend(Lives *self, int lent);

/* An id, spread over all bits: those of tasks follow one another. */
static inline uint64_t
spread(long long id)
{
    return (uint64_t)id * 0x9e3779b97f4a7c15u;
}

/* ---------------------------------------------------------------- placed.c */

typedef struct Placed Placed;

int placed_add(Placed *self, long long task, long long step, PyObject *trace_id, PyObject *span_id);

/* The span of a step, in this trace if it has one there: 0 where it has none, -1 with an error set. All are borrowed. */
int placed_find(Placed *self, long long task, long long step, PyObject *trace_id, PyObject **its_trace,
                PyObject **span_id);

/* ---------------------------------------------------------------- sent.c */

/* An id for a span, as Provider.span_id, or for a trace, as Provider.trace_id: a new reference. */
PyObject *new_span_id(Ordinary *self);
PyObject *new_trace_id(Ordinary *self);

/* What may be used without asking is taken from the provider, or is let go. */
int take_spare(Ordinary *self);
void drop_spare(Ordinary *self);

/* Whether the budget has room for a span that ends then, so that the level of detail stays. */
int is_affordable(Ordinary *self, long long end, long long level);

/* Where spans go, if that is one batch of spans that are encoded in C. It is kept until it is forgotten. */
int find_batch(Ordinary *self);
void forget_batch(Ordinary *self);

/* Pipeline._emit, of a span that ends then: NULL, with an error set, where it could not be encoded. */
int emit(Ordinary *self, long long end, const Bytes *span);

/* ---------------------------------------------------------------- opened.c */

/* Opens the first task span of a task that nobody known created, or one whose own span is open: 1, or 0 where it is not
 * to be opened here; -1 with an error set. */
int opened(Ordinary *self, Passing *passing);

/* ---------------------------------------------------------------- ended.c */

/* All are told that the task has ended. */
int ended(Ordinary *self, Passing *passing);

/* ---------------------------------------------------------------- born.c */

/* A task's birth: 1, or 0 where it is not to be told here; -1 with an error set. */
int born(Ordinary *self, PyObject *record);

#endif
