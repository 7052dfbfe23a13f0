// The critical path: from the end of a task back to its start, over those who woke it. Pure: asks only the model.

const WAITED_FOR = { timer: "timer", io: "I/O", callback: "callback", thread: "thread", task: "task", cancel: "cancellation" };

// Partitions the task's life: running, waiting by what for, ready by behind whom, running in others by whom, unknown.
function criticalPath(model, task) {
  const { steps, tasks, names } = model;
  const begin = tasks.start[task];
  const path = {
    task, total: tasks.end[task] - begin, running: 0, waiting: new Map(), ready: new Map(), other: new Map(), unknown: 0, segments: [],
  };
  const add = (kind, start, end, step, name, amount = end - start) => {
    if (!(amount > 0)) return;
    if (kind === "running" || kind === "unknown") path[kind] += amount;
    else path[kind].set(name, (path[kind].get(name) || 0) + amount);
    path.segments.push({ kind, start, end, step, task: step < 0 ? task : steps.task[step], name, amount });
  };
  const waitedFor = (step) => WAITED_FOR[names[steps.wakerKind[step]]] || "something unknown";

  const held = (step, from, to) => {
    const kind = steps.task[step] === task ? "running" : "other";
    const name = kind === "other" ? taskLabel(model, steps.task[step]) : "";
    if (steps.count[step] === 1) return add(kind, from, to, step, name);
    // Of coalesced steps only the sums are known.
    const length = steps.end[step] - steps.start[step], part = length > 0 ? (to - from) / length : 0;
    const running = Math.min(steps.running[step], length) * part;
    const inside = Math.max(0, steps.readyDuration[step] - (steps.start[step] - steps.ready[step]));
    const ready = Math.min(inside * part, to - from - running);
    add(kind, from, to, step, name, running);
    add("ready", from, to, step, "", ready);
    add("waiting", from, to, step, waitedFor(step), to - from - running - ready);
  };
  const behind = (step, from, to) => {
    const delay = model.delay.get(step);
    const known = delay ? Math.min(delay.duration, to - from) : 0;
    if (known > 0) add("ready", from, from + known, step, delay.name || delay.function);
    add("ready", from + known, to, step, "");
  };

  let time = tasks.end[task], at = model.stepsOf(task).at(-1) ?? -1;
  const seen = new Set();
  // One stretch down to `moment`, never below the task's start and never forward.
  const down = (moment, what) => {
    const to = Math.max(begin, Math.min(moment, time));
    if (to < time) what(to, time);
    time = to;
  };
  if (at >= 0) down(steps.end[at], (from, to) => add("waiting", from, to, at, "something still to come"));
  while (at >= 0 && time > begin && !seen.has(at)) {
    seen.add(at);
    const step = at;
    down(steps.start[step], (from, to) => held(step, from, to));
    down(steps.ready[step], (from, to) => behind(step, from, to));
    const waker = model.wokenBy[step];
    if (waker >= 0 && !seen.has(waker)) {
      // Through a callback, the wake may come after its cause has ended.
      down(steps.end[waker], (from, to) => add("waiting", from, to, step, waitedFor(step)));
      at = waker;
      continue;
    }
    const before = model.previous(step);
    down(before >= 0 ? steps.end[before] : tasks.start[steps.task[step]], (from, to) => add("waiting", from, to, step, waitedFor(step)));
    at = before >= 0 ? before : creation(model, step);
  }
  add("unknown", begin, time, -1, "");
  path.segments.reverse();
  return path;
}

// The step that created a step's task: by its edge, else the creator's step of that moment.
function creation(model, step) {
  if (model.createdBy[step] >= 0) return model.createdBy[step];
  const { steps, tasks } = model, task = steps.task[step], creator = tasks.creator[task];
  if (creator < 0) return -1;
  let found = -1;
  for (const one of model.stepsOf(creator)) if (steps.start[one] <= tasks.start[task]) found = one;
  return found;
}

// "Of these 812 ms: 40 running, 610 waiting for timer or I/O, 150 ready behind parse_report, 12 in other tasks."
function pathSentence(path) {
  const [unit, scale] = path.total >= 10e6 ? ["s", 1e6] : path.total >= 1e3 ? ["ms", 1e3] : ["µs", 1];
  const parts = [];
  const say = (amount, text) => {
    if (amount > 0) parts.push(`${amount / scale >= 0.005 ? digits(amount / scale) : "<0.01"} ${text}`);
  };
  const sum = (map) => [...map.values()].reduce((a, b) => a + b, 0);
  const ranked = (map) => [...map].sort((a, b) => b[1] - a[1]);
  say(path.running, "running");
  say(sum(path.waiting), `waiting for ${ranked(path.waiting).map(([name]) => name).join(" or ")}`);
  const blamed = ranked(path.ready).filter(([name]) => name);
  for (const [name, amount] of blamed.slice(0, 2)) say(amount, `ready behind ${shown(name, 80)}`);
  const rest = sum(path.ready) - blamed.slice(0, 2).reduce((all, [, amount]) => all + amount, 0);
  say(rest > 1e-6 ? rest : 0, blamed.length ? "ready behind other work" : "ready");
  say(sum(path.other), "in other tasks");
  say(path.unknown, "not in the trace");
  return `Of these ${digits(path.total / scale)} ${unit}: ${parts.join(", ") || "nothing was recorded"}.`;
}
