// Puts it together: one state, one redraw a frame, and what the buttons do.

const LABEL_ROOM = 4;

function boot() {
  const began = performance.now();
  const model = decode(JSON.parse(document.getElementById("data").textContent));
  const decoded = performance.now();
  const by = (id) => document.getElementById(id);
  const pen = (id) => by(id).getContext("2d");
  const app = {
    model, view: newView(model), ctx: pen("base"), over: pen("over"), overview: pen("overview"), ruler: pen("ruler"),
    scroller: by("scroller"), scroll: 0, height: 1, cache: new Map(), widths: new Map(), colour: colouring(model), frame: {}, joins: [], frames: [],
    state: {
      hover: null, chosen: null, path: null, pointer: null, drag: null, wakes: true, only: false, fold: null, open: new Set(),
      matching: null, match: -1, view: "lanes", theme: "auto", table: { which: "steps", sort: "", up: false, rows: ROWS },
    },
  };
  addActions(app, by);
  bindButtons(app, by);
  bindPointer(app);
  bindKeys(app);
  fillHelp(app);
  by("summary").textContent = [plural(model.tasks.n, "task"), plural(model.steps.n, "step"), duration(model.end)].join(" · ");
  by("overview").dataset.busy = "";
  app.restyle();
  app.relayout();
  const laidOut = performance.now();
  resize(app);
  app.now();
  drawPanel(app);
  const drawn = performance.now();
  new ResizeObserver(() => { resize(app); app.draw(); }).observe(app.scroller);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => app.restyle());
  const timings = { decode: decoded - began, layout: laidOut - decoded, draw: drawn - laidOut, firstDraw: drawn };
  // For the browser's console, and for tests.
  window.loopscope = { app, model, timings, criticalPath: (task) => criticalPath(model, task), pathSentence, xOf: (time) => xOf(app.view, time) };
}

function resize(app) {
  const width = Math.max(document.getElementById("paper").clientWidth, 50), height = Math.max(app.scroller.clientHeight, 50);
  app.view.width = width;
  app.height = height;
  for (const [ctx, tall] of [[app.ctx, height], [app.over, height], [app.overview, 30], [app.ruler, 22]]) {
    ctx.canvas.width = Math.round(width * devicePixelRatio);
    ctx.canvas.height = Math.round(tall * devicePixelRatio);
    ctx.canvas.style.width = `${width}px`;
    ctx.canvas.style.height = `${tall}px`;
    ctx.textBaseline = "middle";
  }
  document.getElementById("window").style.height = `${height}px`;
  document.getElementById("filler").style.height = `${Math.max(app.layout.height - height, 0)}px`;
  app.hatch = hatch(app.ctx, app.colours);
}

function addActions(app, by) {
  let asked = false, changed = true;
  app.now = () => {
    const began = performance.now(), whole = changed;
    asked = changed = false;
    if (whole) {
      app.scroll = app.scroller.scrollTop;
      drawBase(app);
      drawLabels(app);
      by("span").textContent = duration(app.view.to - app.view.from);
    }
    drawOver(app);
    if (whole) app.frames.push(performance.now() - began);
    if (app.frames.length > 120) app.frames.shift();
  };
  // In the next frame: the overlay alone, or everything.
  app.drawOver = () => {
    if (!asked) requestAnimationFrame(app.now);
    asked = true;
  };
  app.draw = () => {
    changed = true;
    app.drawOver();
  };
  app.restyle = () => {
    app.colours = readTheme();
    app.hatch = hatch(app.ctx, app.colours);
    app.draw();
  };
  app.relayout = () => {
    for (const key of app.cache.keys()) if (!key.startsWith("thread")) app.cache.delete(key);
    app.layout = layout(app.model, app.state);
    by("filler").style.height = `${Math.max(app.layout.height - app.height, 0)}px`;
    app.draw();
  };
  app.choose = (one, { reveal: wanted = false } = {}) => {
    const task = one?.kind === "step" ? app.model.steps.task[one.step] : one?.kind === "task" ? one.task : -1;
    if (app.state.path && app.state.path.task !== task && !app.state.path.segments.some((part) => part.task === task)) app.state.path = null;
    app.state.chosen = one;
    if (wanted && one) {
      app.show("lanes");
      if (one.kind === "step") reveal(app.view, app.model.steps.start[one.step], app.model.steps.end[one.step]);
      if (one.kind === "task") reveal(app.view, app.model.tasks.start[one.task], app.model.tasks.end[one.task]);
      app.revealTask(task);
    }
    drawPanel(app);
    say(app);
    app.draw();
  };
  app.revealTask = (task) => {
    const row = app.layout.rows[app.layout.rowOf[task]];
    if (!row) return;
    const { scroller } = app;
    if (row.y < scroller.scrollTop + 10) scroller.scrollTop = row.y - 60;
    else if (row.y + row.height > scroller.scrollTop + app.height - 10) scroller.scrollTop = row.y + row.height - app.height + 60;
  };
  const close = (start, end) => {
    const room = Math.max((end - start) * 0.4, 1);
    show(app.view, start - room, end + room);
    app.draw();
  };
  app.closeUp = (step) => close(app.model.steps.ready[step], app.model.steps.end[step]);
  app.closeTask = (task) => close(app.model.tasks.start[task], app.model.tasks.end[task]);
  app.tracePath = (task) => {
    app.state.path = app.state.path?.task === task ? null : criticalPath(app.model, task);
    if (app.state.path) by("said").textContent = pathSentence(app.state.path);
    drawPanel(app);
    app.draw();
  };
  app.unfold = (qualname) => {
    if (!app.state.open.delete(qualname)) app.state.open.add(qualname);
    app.relayout();
  };
  app.show = (view) => {
    if (app.state.view === view) return;
    app.state.view = view;
    by("lanes").hidden = view !== "lanes";
    by("tables").hidden = view === "lanes";
    by("as-lanes").setAttribute("aria-pressed", String(view === "lanes"));
    by("as-table").setAttribute("aria-pressed", String(view !== "lanes"));
    if (view === "tables") drawTables(app);
    else resize(app);
    app.draw();
  };
}

// What a screen reader hears of what was chosen.
function say(app) {
  const { chosen } = app.state, said = document.getElementById("said");
  if (chosen?.kind === "step") said.textContent = tipOf(app, chosen).map(([text]) => shown(text, 200)).join(". ");
  else if (chosen?.kind === "task") said.textContent = `task ${shown(taskLabel(app.model, chosen.task), 100)}, ${duration(app.model.tasks.length[chosen.task])}`;
  else said.textContent = "";
}

function bindButtons(app, by) {
  const on = (id, act) => by(id).addEventListener("click", act);
  const drawn = (what) => () => { what(); app.draw(); };
  const toggle = (id, value) => by(id).setAttribute("aria-pressed", String(value));
  on("in", drawn(() => zoom(app.view, 1.6, focusX(app))));
  on("out", drawn(() => zoom(app.view, 1 / 1.6, focusX(app))));
  on("fit", drawn(() => fit(app.view)));
  on("as-lanes", () => app.show("lanes"));
  on("as-table", () => app.show("tables"));
  on("before", () => nextMatch(app, -1));
  on("after", () => nextMatch(app, 1));
  on("ask", () => by("help").showModal());
  on("only", () => { app.state.only = !app.state.only; toggle("only", app.state.only); app.relayout(); });
  on("wakes", () => { app.state.wakes = !app.state.wakes; toggle("wakes", app.state.wakes); app.draw(); });
  on("fold", () => {
    app.state.fold = !app.layout.rows.some((row) => row.kind === "fold");
    app.state.open.clear();
    app.relayout();
    toggle("fold", app.state.fold);
  });
  on("theme", () => {
    app.state.theme = THEMES[(THEMES.indexOf(app.state.theme) + 1) % THEMES.length];
    applyTheme(app.state.theme);
    by("theme").title = `Colours: ${app.state.theme} (l)`;
    app.restyle();
  });
  by("query").addEventListener("input", () => { search(app, by("query").value); if (app.state.view === "tables") drawTables(app); });
  by("query").addEventListener("keydown", (event) => { if (event.key === "Enter") nextMatch(app, event.shiftKey ? -1 : 1); });
  by("find").addEventListener("submit", (event) => event.preventDefault());
  by("help").addEventListener("click", (event) => { if (event.target === by("help")) by("help").close(); });
  app.scroller.addEventListener("scroll", () => app.draw());
}

// Names of the rows in sight, as elements, so that they are text, can be selected, and keep their own direction.
function drawLabels(app) {
  const { matching, chosen } = app.state, about = chosen?.kind === "step" ? app.model.steps.task[chosen.step] : chosen?.kind === "task" ? chosen.task : -1;
  const rows = visibleRows(app), key = JSON.stringify([app.scroll, rows[0]?.number, rows.length, about, app.state.match]) + (matching?.size ?? "");
  if (app.labels === app.layout && app.labelKey === key) return;
  app.labels = app.layout;
  app.labelKey = key;
  document.getElementById("labels").replaceChildren(...rows.map((row) => label(app, row, about, matching)));
}

function label(app, row, about, matching) {
  const task = row.tasks?.[0] ?? -1, match = matching && row.tasks?.some((one) => matching.has(one));
  const classes = ["row", row.kind, row.tasks?.includes(about) ? "chosen" : "", row.kind === "task" && taskLabel(app.model, task) === row.more ? "own" : "", match ? "match" : matching && row.tasks ? "other" : ""].filter(Boolean).join(" ");
  const texts = [named(row.label, 200), row.more ? make("span", { class: "more" }, named(row.more, 200)) : ""];
  if (row.kind === "thread") texts[1] = make("span", { class: "more" }, `${digits(100 * busyShare(app, row))} % busy`);
  const element = make(row.tasks ? "button" : "div", { class: classes, type: row.tasks ? "button" : undefined, tabindex: row.tasks ? -1 : undefined, title: shown(`${row.label} ${row.more}`, 500) });
  if (row.kind === "fold") element.append(make("span", { class: "twist" }, "▸"));
  if (row.closes >= 0) element.append(make("span", { class: "twist" }, "▾"));
  if (row.tasks && row.kind === "task") {
    const dot = make("i", { class: "dot" });
    dot.style.background = app.colours.tasks[app.colour[task]];
    element.append(dot);
  }
  element.append(...texts.filter(Boolean));
  element.style.top = `${row.y - app.scroll}px`;
  element.style.height = `${row.height}px`;
  if (row.depth) element.style.paddingLeft = `${10 + Math.min(row.depth, LABEL_ROOM) * 12}px`;
  if (row.tasks) element.addEventListener("click", (event) => {
    if (event.target.className === "twist") app.unfold(app.model.tasks.qualname[task]);
    else app.choose(row.kind === "fold" ? { kind: "fold", tasks: row.tasks } : { kind: "task", task });
  });
  return element;
}

// The share of the whole time that a thread was held, nested steps counted once.
function busyShare(app, row) {
  const series = seriesOf(app.model, row, app.cache), { steps } = app.model;
  if (series.busy === undefined) {
    let until = -Infinity, sum = 0;
    for (const step of series.list) {
      if (steps.count[step] > 1) sum += steps.running[step];
      else {
        sum += Math.max(0, steps.end[step] - Math.max(steps.start[step], until));
        until = Math.max(until, steps.end[step]);
      }
    }
    series.busy = Math.min(1, sum / Math.max(app.model.end - app.model.start, 1e-9));
  }
  return series.busy;
}

boot();
