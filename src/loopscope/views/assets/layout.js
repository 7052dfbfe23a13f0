// Rows: for each process its threads, for each thread its lane, its output and its tasks, folded and filtered.

const HEIGHT = { process: 26, thread: 34, line: 15, task: 26, foreign: 6, others: 24 };
//: tasks from which on tasks of one function fold, and how many of a function make a fold
const MANY = 60, ALIKE = 4;

function layout(model, state) {
  const rows = [];
  let y = 0;
  const put = (row) => {
    rows.push({ ...row, number: rows.length, y });
    y += row.height;
  };
  const { tasks, threads, processes } = model;
  const foreign = byTask(model);
  const kept = (task) => !state.only || !state.matching || state.matching.has(task);
  const byThread = threads.map(() => []);
  for (let task = 0; task < tasks.n; task++) if (kept(task)) byThread[tasks.thread[task]].push(task);

  processes.forEach((process, number) => {
    const mine = threads.map((thread, i) => i).filter((i) => threads[i].process === number);
    const title = [process.service || "process", process.pid ? `pid ${process.pid}` : "", process.host].filter(Boolean);
    if (mine.length) put({ kind: "process", height: HEIGHT.process, label: title[0], more: title.slice(1).join(" · ") });
    mine.forEach((thread, nth) => {
      put({ kind: "thread", height: HEIGHT.thread, thread, label: threads[thread].name || `thread ${threads[thread].id || "?"}`, more: "" });
      const lines = printedBy(model, thread, nth === 0 ? number : -1);
      if (lines.length) put({ kind: "output", height: crowd(model, lines) * HEIGHT.line + 8, lines, label: "output", more: plural(lines.length, "line") });
      for (const row of taskRows(model, state, byThread[thread], foreign)) put(row);
    });
  });
  const loose = foreign.get(-1) || [];
  if (loose.length && !state.only) {
    put({ kind: "process", height: HEIGHT.process, label: "other spans", more: "not inside a task that is shown" });
    for (const spans of stacked(loose).slice(0, 40)) put({ kind: "others", height: HEIGHT.others, spans, label: spans[0].service || "spans", more: "" });
  }
  const rowOf = new Int32Array(tasks.n).fill(-1);
  for (const row of rows) for (const task of row.tasks || []) rowOf[task] = row.number;
  return { rows, rowOf, height: y };
}

function taskRows(model, state, members, foreign) {
  const { tasks, names } = model;
  const groups = new Map();
  for (const task of members) {
    const name = tasks.qualname[task];
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(task);
  }
  const folding = (name) => groups.get(name).length >= ALIKE && (state.open.has(name) ? false : state.fold ?? members.length > MANY);
  const here = new Set(members), done = new Set(), rows = [];
  const children = new Map(members.map((task) => [task, []])), roots = [];
  for (const task of members) (here.has(tasks.creator[task]) && tasks.creator[task] < task ? children.get(tasks.creator[task]) : roots).push(task);
  const stack = roots.reverse().map((task) => [task, 0]);
  while (stack.length) {
    const [task, depth] = stack.pop(), name = tasks.qualname[task];
    for (const child of children.get(task).reverse()) stack.push([child, depth + 1]);
    if (folding(name)) {
      if (done.has(name)) continue;
      done.add(name);
      rows.push({ kind: "fold", height: HEIGHT.task, tasks: groups.get(name), depth, label: lastPart(names[name]), more: `× ${groups.get(name).length.toLocaleString("en")}` });
    } else {
      const spans = foreign.get(task) ? stacked(foreign.get(task)).slice(0, 4) : [];
      const other = names[tasks.name[task]], code = lastPart(names[name]);
      const first = state.open.has(name) && !done.has(name);
      if (first) done.add(name);
      rows.push({ kind: "task", height: HEIGHT.task + spans.length * HEIGHT.foreign, tasks: [task], spans, depth, label: code, more: other === code ? "" : other, closes: first ? name : -1 });
    }
  }
  return rows;
}

function byTask(model) {
  const found = new Map();
  for (const span of model.foreign) {
    if (!found.has(span.task)) found.set(span.task, []);
    found.get(span.task).push(span);
  }
  return found;
}

// Spans in as few lines as they need, in order of their start.
function stacked(spans) {
  const lines = [];
  for (const span of spans) {
    const free = lines.find((line) => line.at(-1).end <= span.start);
    if (free) free.push(span);
    else lines.push([span]);
  }
  return lines;
}

function printedBy(model, thread, process) {
  const { tasks, threads } = model;
  const known = (line) => line.task >= 0;
  return model.printed.filter((line) => (known(line) ? tasks.thread[line.task] === thread : process === 0 && threads[thread].process === 0));
}

// How many lines stand at about one moment: so many the lane needs.
function crowd(model, lines) {
  const near = (model.end - model.start) / 4;
  let most = 1, first = 0;
  for (let i = 0; i < lines.length; i++) {
    while (lines[i].time - lines[first].time > near) first++;
    most = Math.max(most, i - first + 1);
  }
  return Math.min(most, 6);
}
