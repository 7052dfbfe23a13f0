// Keys: each does one thing, and the help lists them all.

function keys(app) {
  const { view } = app, step = () => (app.state.chosen?.kind === "step" ? app.state.chosen.step : -1);
  const go = (to) => to >= 0 && app.choose({ kind: "step", step: to }, { reveal: true });
  const drawn = (what) => () => { what(); app.draw(); };
  const press = (id) => () => document.getElementById(id).click();
  return [
    ["Move", [
      [["ArrowLeft"], "←", "earlier", drawn(() => pan(view, -view.width / 8))],
      [["ArrowRight"], "→", "later", drawn(() => pan(view, view.width / 8))],
      [["+", "="], "+", "closer", drawn(() => zoom(view, 1.6, focusX(app)))],
      [["-", "_"], "-", "further away", drawn(() => zoom(view, 1 / 1.6, focusX(app)))],
      [["0"], "0", "everything", press("fit")],
      [["z"], "z", "zoom to the chosen step or task", () => (step() >= 0 ? app.closeUp(step()) : taskOf(app) >= 0 && app.closeTask(taskOf(app)))],
      [["PageUp"], "PgUp", "rows up", () => (app.scroller.scrollTop -= app.height * 0.8)],
      [["PageDown"], "PgDn", "rows down", () => (app.scroller.scrollTop += app.height * 0.8)],
    ]],
    ["Choose", [
      [["Shift+ArrowRight", "."], "Shift →", "next step of the task", () => go(step() < 0 ? firstStep(app) : app.model.next(step()))],
      [["Shift+ArrowLeft", ","], "Shift ←", "previous step of the task", () => go(step() < 0 ? firstStep(app) : app.model.previous(step()))],
      [["ArrowDown"], "↓", "the row below", () => neighbour(app, 1)],
      [["ArrowUp"], "↑", "the row above", () => neighbour(app, -1)],
      [["w"], "w", "who woke it", () => step() >= 0 && go(wakerOf(app.model, step()))],
      [["d"], "d", "who delayed it", () => step() >= 0 && go(app.model.delayedBy[step()])],
      [["v"], "v", "whom it delayed, one after the other", () => nextVictim(app, step())],
      [["c"], "c", "critical path of the task", () => taskOf(app) >= 0 && app.tracePath(taskOf(app))],
      [["Escape"], "Esc", "let go", () => app.choose(null)],
    ]],
    ["Find and show", [
      [["/"], "/", "search", () => document.getElementById("query").focus()],
      [["n"], "n", "next match", () => nextMatch(app, 1)],
      [["N", "Shift+N"], "N", "previous match", () => nextMatch(app, -1)],
      [["f"], "f", "hide what does not match", press("only")],
      [["g"], "g", "fold or unfold tasks of one function", press("fold")],
      [["a"], "a", "wake arrows", press("wakes")],
      [["t"], "t", "table or timeline", () => app.show(app.state.view === "lanes" ? "tables" : "lanes")],
      [["l"], "l", "light, dark or as the system", press("theme")],
      [["?"], "?", "these keys", press("ask")],
    ]],
  ];
}

const MOUSE = [["wheel", "zoom"], ["drag", "move"], ["Shift drag, or drag on the ruler", "zoom into a stretch"], ["Shift wheel", "move sideways"], ["Alt wheel, or wheel over the names", "scroll the rows"], ["click", "choose"], ["double click", "zoom to a step"]];

function bindKeys(app) {
  const table = new Map();
  for (const [, rows] of keys(app)) for (const [names, , , act] of rows) for (const name of names) table.set(name, act);
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input, textarea, select"), dialog = document.getElementById("help").open;
    if (typing && event.key === "Escape") return event.target.blur();
    if (typing || dialog || event.ctrlKey || event.metaKey || event.altKey) return;
    // Inside of tables and details the arrows scroll what they stand in.
    if (event.key.startsWith("Arrow") && event.target.closest("#tables, #panel pre")) return;
    const act = table.get(event.shiftKey ? `Shift+${event.key}` : event.key) || table.get(event.key);
    if (!act || (event.shiftKey && event.key.startsWith("Arrow") && !table.has(`Shift+${event.key}`))) return;
    event.preventDefault();
    act();
  });
}

function fillHelp(app) {
  const help = document.getElementById("help"), close = make("button", { type: "button", class: "close", "aria-label": "Close", onclick: () => help.close() }, "×");
  const list = (rows) => make("dl", {}, ...rows.flatMap(([key, what]) => [make("dt", {}, make("kbd", {}, key)), make("dd", {}, what)]));
  const parts = keys(app).map(([title, rows]) => make("section", {}, make("h3", {}, title), list(rows.map(([, key, what]) => [key, what]))));
  help.replaceChildren(make("header", {}, make("h2", { id: "help-title" }, "Keys"), close), make("div", { class: "columns" }, ...parts, make("section", {}, make("h3", {}, "Mouse"), list(MOUSE))));
}

function focusX(app) {
  const { chosen } = app.state, { steps } = app.model;
  if (chosen?.kind !== "step") return app.view.width / 2;
  const x = xOf(app.view, (steps.start[chosen.step] + steps.end[chosen.step]) / 2);
  return x >= 0 && x <= app.view.width ? x : app.view.width / 2;
}

function taskOf(app) {
  const { chosen } = app.state;
  return chosen?.kind === "step" ? app.model.steps.task[chosen.step] : chosen?.kind === "task" ? chosen.task : -1;
}

// The first step in sight of the chosen task, or of anybody.
function firstStep(app) {
  const task = taskOf(app), { steps } = app.model;
  if (task >= 0) return app.model.stepsOf(task)[0] ?? -1;
  for (let i = 0; i < steps.n; i++) if (steps.end[i] >= app.view.from && app.layout.rowOf[steps.task[i]] >= 0) return i;
  return -1;
}

// The step of the next row up or down that is nearest in time.
function neighbour(app, by) {
  const { model, layout: { rows, rowOf } } = app, { steps, tasks } = model, { chosen } = app.state;
  const from = taskOf(app) >= 0 ? rowOf[taskOf(app)] : chosen?.kind === "fold" ? rowOf[chosen.tasks[0]] : by > 0 ? -1 : rows.length;
  let number = from + by;
  while (rows[number] && !rows[number].tasks) number += by;
  const row = rows[number];
  if (!row) return;
  const time = chosen?.kind === "step" ? steps.start[chosen.step] : Math.max(app.view.from, tasks.start[row.tasks[0]]);
  const { list } = seriesOf(model, row, app.cache);
  const at = Math.min(lower(list.length, (i) => steps.start[list[i]], time), list.length - 1);
  const near = at > 0 && time - steps.start[list[at - 1]] < Math.abs(steps.start[list[at]] - time) ? at - 1 : at;
  app.choose(list.length ? { kind: "step", step: list[near] } : { kind: "task", task: row.tasks[0] }, { reveal: true });
}

function nextVictim(app, step) {
  if (step < 0) return;
  const { model } = app, culprit = model.victims.has(step) ? step : model.delayedBy[step], all = model.victims.get(culprit) || [];
  if (all.length) app.choose({ kind: "step", step: all[(all.indexOf(step) + 1) % all.length] }, { reveal: true });
}
