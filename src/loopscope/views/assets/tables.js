// The same as tables, for those who read: steps, tasks and output, sorted by any column.

//: rows shown at first, and added by the button
const ROWS = 100;

function stepTable(app) {
  const { model } = app, { steps, names } = model, text = (column) => (step) => names[steps[column][step]];
  return {
    caption: "Steps",
    rows: Array.from({ length: steps.n }, (_, i) => i).filter((step) => kept(app, steps.task[step])),
    sort: "ran", choose: (step) => ({ kind: "step", step }),
    columns: [
      { key: "step", title: "Step", value: (step) => stepLabel(model, step), label: true },
      { key: "start", title: "Started", value: (step) => steps.start[step], time: true },
      { key: "ran", title: "Ran", value: (step) => steps.running[step], time: true },
      { key: "ready", title: "Was ready", value: (step) => steps.readyDuration[step], time: true },
      { key: "by", title: "Delayed by", value: (step) => model.delay.get(step)?.name || "" },
      { key: "harm", title: "Held others up", value: (step) => model.delayed.get(step)?.duration || 0, time: true, blank: true },
      { key: "victims", title: "Victims", value: (step) => model.delayed.get(step)?.count || 0, number: true },
      { key: "then", title: "Then", value: (step) => [text("outcome")(step), text("awaiting")(step)].filter(Boolean).join(" ") },
      { key: "place", title: "At", value: (step) => text("place")(step).split(/[\\/]/).pop(), code: true },
    ],
  };
}

function taskTable(app) {
  const { model } = app, { tasks, names } = model;
  return {
    caption: "Tasks",
    rows: Array.from({ length: tasks.n }, (_, i) => i).filter((task) => kept(app, task)),
    sort: "length", choose: (task) => ({ kind: "task", task }),
    columns: [
      { key: "task", title: "Task", value: (task) => taskLabel(model, task), label: true },
      { key: "start", title: "Started", value: (task) => tasks.start[task], time: true },
      { key: "length", title: "Lived", value: (task) => tasks.length[task], time: true },
      { key: "running", title: "Running", value: (task) => tasks.running[task], time: true },
      { key: "ready", title: "Ready", value: (task) => tasks.ready[task], time: true },
      { key: "waiting", title: "Waiting", value: (task) => tasks.waiting[task], time: true },
      { key: "steps", title: "Steps", value: (task) => tasks.steps[task], number: true },
      { key: "state", title: "State", value: (task) => names[tasks.state[task]] + (tasks.error[task] ? ` ${names[tasks.error[task]]}` : "") },
      { key: "place", title: "Code", value: (task) => names[tasks.place[task]].split(/[\\/]/).pop(), code: true },
    ],
  };
}

function outputTable(app) {
  const { model } = app;
  return {
    caption: "Output",
    rows: model.printed.map((_, i) => i).filter((i) => kept(app, model.printed[i].task)),
    sort: "time", up: true,
    choose: (i) => (model.printed[i].step >= 0 ? { kind: "step", step: model.printed[i].step } : model.printed[i].task >= 0 ? { kind: "task", task: model.printed[i].task } : null),
    columns: [
      { key: "text", title: "Line", value: (i) => model.printed[i].text, label: true },
      { key: "time", title: "At", value: (i) => model.printed[i].time, time: true },
      { key: "stream", title: "Stream", value: (i) => model.printed[i].stream },
      { key: "step", title: "Printed by", value: (i) => (model.printed[i].step >= 0 ? stepLabel(model, model.printed[i].step) : model.printed[i].task >= 0 ? taskLabel(model, model.printed[i].task) : "") },
    ],
  };
}

function kept(app, task) {
  return !app.state.matching || app.state.matching.has(task);
}

const TABLES = { steps: stepTable, tasks: taskTable, output: outputTable };

function drawTables(app, focus = "") {
  const section = document.getElementById("tables"), state = app.state.table, table = TABLES[state.which](app);
  const tabs = make("div", { class: "group", role: "group", "aria-label": "What to list" });
  for (const which of Object.keys(TABLES))
    tabs.append(make("button", { type: "button", "aria-pressed": String(which === state.which), onclick: () => { app.state.table = { which, sort: "", up: false, rows: ROWS }; drawTables(app); } }, which[0].toUpperCase() + which.slice(1)));
  const presets = make("div", { class: "group", role: "group", "aria-label": "Steps by" });
  for (const [text, sort] of [["Slowest", "ran"], ["Most delayed", "ready"], ["Most harmful", "harm"]])
    presets.append(make("button", { type: "button", onclick: () => { app.state.table = { which: "steps", sort, up: false, rows: ROWS }; drawTables(app); } }, text));
  if (!state.sort) Object.assign(state, { sort: table.sort, up: Boolean(table.up) });
  section.replaceChildren(make("div", { class: "choices" }, tabs, presets), tableElement(app, table, state));
  if (focus) section.querySelector(`th[data-key="${focus}"] button`)?.focus();
}

function sorted(table, state) {
  const { value } = table.columns.find((one) => one.key === state.sort), order = state.up ? 1 : -1;
  const keys = new Map(table.rows.map((row) => [row, value(row)]));
  const compare = (a, b) => (typeof a === "number" ? a - b : a < b ? -1 : a > b ? 1 : 0);
  return [...table.rows].sort((a, b) => order * compare(keys.get(a), keys.get(b)) || a - b);
}

function tableElement(app, table, state) {
  const head = make("tr");
  for (const column of table.columns) {
    const mine = column.key === state.sort, numeric = column.time || column.number;
    const turn = () => { Object.assign(state, { up: mine ? !state.up : !numeric, sort: column.key }); drawTables(app, column.key); };
    head.append(make("th", { scope: "col", "data-key": column.key, class: numeric ? "number" : "", "aria-sort": mine ? (state.up ? "ascending" : "descending") : undefined },
      make("button", { type: "button", onclick: turn }, column.title, make("span", { "aria-hidden": "true" }, mine ? (state.up ? " ▲" : " ▼") : ""))));
  }
  const all = sorted(table, state), body = make("tbody");
  for (const row of all.slice(0, state.rows)) body.append(tableRow(app, table, row));
  const more = all.length - state.rows;
  const count = `${table.caption}: ${all.length.toLocaleString("en")}${app.state.matching ? " that match" : ""}`;
  return make("div", { class: "sheet", tabindex: 0, role: "region", "aria-label": table.caption },
    make("table", {}, make("caption", {}, count), make("thead", {}, head), body),
    more > 0 ? make("button", { type: "button", class: "more", onclick: () => { state.rows += ROWS * 5; drawTables(app); } }, `${more.toLocaleString("en")} more`) : "");
}

function tableRow(app, table, row) {
  const line = make("tr");
  for (const column of table.columns) {
    const value = column.value(row);
    if (column.label) {
      const open = make("button", { type: "button", class: "link", onclick: () => { const one = table.choose(row); if (one) app.choose(one, { reveal: true }); } }, named(value, 120));
      line.append(make("th", { scope: "row" }, open));
    } else if (column.time) line.append(make("td", { class: "number" }, column.blank && !value ? "" : duration(value)));
    else if (column.number) line.append(make("td", { class: "number" }, value ? value.toLocaleString("en") : ""));
    else line.append(make("td", { class: column.code ? "code" : "" }, named(value, 120)));
  }
  return line;
}
