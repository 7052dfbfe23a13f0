// The columns of the page's data as typed arrays, times in microseconds, and the indexes that everything else asks.

function decode(raw) {
  const names = raw.names;
  const tasks = decodeTasks(raw.tasks);
  const steps = decodeSteps(raw.steps);
  const model = {
    title: raw.title, links: raw.links, epoch: raw.base, names, tasks, steps,
    processes: raw.processes.map(([service, pid, host]) => ({ service: names[service], pid, host: names[host] })),
    threads: raw.threads.map(([process, id, name]) => ({ process, id, name: names[name] })),
    missing: raw.missing, traces: raw.traces,
    foreign: raw.foreign.map(([task, start, length, name, service, kind, error, trace, span]) => ({
      task, start: start / 1e3, end: (start + length) / 1e3, name: names[name], service: names[service],
      kind: names[kind], error: names[error], trace: names[trace], span,
    })),
    printed: raw.printed.map(([time, stream, text, task, step]) => ({
      time: time / 1e3, stream: names[stream], text: names[text], task, step,
    })),
    ...decodeRare(raw.rare, names),
  };
  Object.assign(model, grouped(steps, tasks.n), edges(raw.edges, steps));
  model.start = 0;
  model.end = extent(model);
  model.shared = sharedNames(tasks);
  return model;
}

function extent(model) {
  let last = 0;
  for (const ends of [model.tasks.end, model.steps.end]) for (const end of ends) if (end > last) last = end;
  for (const span of model.foreign) last = Math.max(last, span.end);
  for (const line of model.printed) last = Math.max(last, line.time);
  return last;
}

// A column: its values, or the one value that all have.
function column(values, n, Kind = Int32Array, scale = 1) {
  const out = new Kind(n);
  if (typeof values === "number") return out.fill(values / scale);
  for (let i = 0; i < n; i++) out[i] = values[i] / scale;
  return out;
}

function decodeTasks(raw) {
  const n = raw.n, out = { n, cancel: raw.cancel, traces: raw.traces, spans: raw.spans };
  for (const name of ["name", "qualname", "state", "function", "place", "error", "awaiting", "thread", "creator", "steps"])
    out[name] = column(raw[name], n);
  for (const name of ["start", "length", "running", "ready", "waiting"]) out[name] = column(raw[name], n, Float64Array, 1e3);
  out.end = out.start.map((start, i) => start + out.length[i]);
  return out;
}

function decodeSteps(raw) {
  const n = raw.n, out = { n, span: raw.span };
  for (const name of ["task", "index", "count", "thread", "qualname", "outcome", "awaiting", "function", "place", "wakerKind", "wakerName", "wakerTask", "trace"])
    out[name] = column(raw[name], n);
  const starts = column(raw.start, n, Float64Array), lengths = column(raw.length, n, Float64Array);
  const leads = column(raw.lead, n, Float64Array);
  const running = column(raw.running, n, Float64Array), ready = column(raw.ready, n, Float64Array);
  out.start = new Float64Array(n); out.end = new Float64Array(n); out.ready = new Float64Array(n);
  out.running = new Float64Array(n); out.readyDuration = new Float64Array(n);
  for (let i = 0, at = 0; i < n; i++) {
    at += starts[i];
    out.start[i] = at / 1e3;
    out.end[i] = (at + lengths[i]) / 1e3;
    out.ready[i] = (at - leads[i]) / 1e3;
    out.running[i] = (lengths[i] + running[i]) / 1e3;
    out.readyDuration[i] = (leads[i] + ready[i]) / 1e3;
  }
  return out;
}

function decodeRare(raw, names) {
  const stalls = new Map();
  for (const [step, time, held, cause, stack] of raw.stalls) {
    if (!stalls.has(step)) stalls.set(step, []);
    stalls.get(step).push({ time: time / 1e3, held: held / 1e3, cause: names[cause], stack: names[stack] });
  }
  const pairs = (texts) => texts.map((text) => names[text]);
  return {
    stalls,
    delay: new Map(raw.delay.map(([step, length, steps, name, task, code, place]) => [step, {
      duration: length / 1e3, steps, name: names[name], task: names[task], function: names[code], place: names[place],
    }])),
    delayed: new Map(raw.delayed.map(([step, count, length]) => [step, { count, duration: length / 1e3 }])),
    details: new Map(raw.details.map(([step, ...texts]) => [step, pairs(texts)])),
    errors: new Map(raw.errors.map(([step, error]) => [step, names[error]])),
    unpolled: new Map(raw.unpolled.map(([step, length]) => [step, length / 1e3])),
  };
}

// The steps of each task, in order, and each step's place among them.
function grouped(steps, tasks) {
  const first = new Int32Array(tasks + 1);
  for (let i = 0; i < steps.n; i++) first[steps.task[i] + 1]++;
  for (let task = 0; task < tasks; task++) first[task + 1] += first[task];
  const order = new Int32Array(steps.n), place = new Int32Array(steps.n), filled = first.slice();
  for (let i = 0; i < steps.n; i++) {
    place[i] = filled[steps.task[i]]++;
    order[place[i]] = i;
  }
  return {
    stepsOf: (task) => order.subarray(first[task], first[task + 1]),
    previous: (step) => (place[step] > first[steps.task[step]] ? order[place[step] - 1] : -1),
    next: (step) => (place[step] + 1 < first[steps.task[step] + 1] ? order[place[step] + 1] : -1),
  };
}

// Who woke, delayed and created whom: one of each per step, and back again as lists.
function edges(raw, steps) {
  const one = ([earlier, later]) => {
    const by = new Int32Array(steps.n).fill(-1), of = new Map();
    earlier.forEach((from, i) => {
      by[later[i]] = from;
      if (!of.has(from)) of.set(from, []);
      of.get(from).push(later[i]);
    });
    return [by, of];
  };
  const [wokenBy, wakes] = one(raw.woken_by), [delayedBy, victims] = one(raw.delayed_by), [createdBy] = one(raw.created_by);
  const arrows = Int32Array.from(raw.woken_by[1].concat(raw.created_by[1].filter((step) => wokenBy[step] < 0)));
  arrows.sort((a, b) => steps.ready[a] - steps.ready[b]);
  return { wokenBy, wakes, delayedBy, victims, createdBy, arrows };
}

// The functions that several tasks run: there the function alone does not tell which task is meant.
function sharedNames(tasks) {
  const counts = new Map();
  for (const name of tasks.qualname) counts.set(name, (counts.get(name) || 0) + 1);
  return counts;
}

function lastPart(qualname) {
  return qualname.split("<locals>.").pop();
}

// What a task is called in bars and sentences.
function taskLabel(model, task) {
  const { names, tasks, shared } = model;
  const code = lastPart(names[tasks.qualname[task]]), name = names[tasks.name[task]];
  if (shared.get(tasks.qualname[task]) === 1 || !name) return code;
  return /^Task-\d+$/.test(name) ? `${code} ${name}` : name;
}

function stepLabel(model, step) {
  const { steps } = model;
  const last = steps.index[step] + steps.count[step] - 1;
  return `${taskLabel(model, steps.task[step])} ${steps.index[step]}${steps.count[step] > 1 ? `–${last}` : ""}`;
}
