// The details: of the whole, of a step, of a task, of a fold, of somebody else's span.

function drawPanel(app) {
  const panel = document.getElementById("panel"), { chosen } = app.state;
  const about = { step: aboutStep, task: aboutTask, fold: aboutFold, foreign: aboutForeign }[chosen?.kind] || aboutAll;
  panel.replaceChildren(...about(app, chosen));
  panel.classList.toggle("chosen", Boolean(chosen));
  panel.scrollTop = 0;
}

function heading(app, kind, text, more = "") {
  const close = make("button", { type: "button", class: "close", "aria-label": "Close details", title: "Close (Esc)", onclick: () => app.choose(null) }, "×");
  return make("header", {}, make("div", {}, make("p", { class: "kind" }, kind), make("h2", {}, named(text, 2000), more ? make("span", { class: "quiet" }, " ", named(more, 2000)) : "")), close);
}

function facts(...pairs) {
  const list = make("dl");
  for (const [term, ...values] of pairs) {
    const given = values.filter((value) => value !== "" && value !== null && value !== undefined);
    if (given.length) list.append(make("dt", {}, term), make("dd", {}, ...given));
  }
  return list;
}

function part(title, ...children) {
  return make("section", {}, make("h3", {}, title), ...children);
}

function stepLink(app, step) {
  return make("button", { type: "button", class: "link", onclick: () => app.choose({ kind: "step", step }, { reveal: true }) }, named(stepLabel(app.model, step), 120));
}

function taskLink(app, task) {
  return make("button", { type: "button", class: "link", onclick: () => app.choose({ kind: "task", task }, { reveal: true }) }, named(taskLabel(app.model, task), 120));
}

// Where in the code: the file's name first, the whole path in the title.
function placed(place, code = "") {
  if (!place) return code ? named(code) : "";
  return make("span", { class: "code", title: shown(place, 1000) }, code ? named(code) : "", code ? make("br") : "", named(place.split(/[\\/]/).pop(), 300));
}

function outward(app, trace, span) {
  if (!span.trim()) return "";
  const links = app.model.links.map(([label, address]) => {
    const href = address.replaceAll("{trace_id}", encodeURIComponent(trace)).replaceAll("{span_id}", encodeURIComponent(span));
    return make("a", { href, target: "_blank", rel: "noopener noreferrer" }, label);
  });
  return make("span", {}, make("code", {}, span), ...links.flatMap((link) => [" ", link]));
}

function aboutStep(app, { step }) {
  const { model } = app, { steps, names } = model, task = steps.task[step], name = (column) => names[steps[column][step]];
  const before = model.previous(step), since = before >= 0 ? steps.end[before] : model.tasks.start[task];
  const waited = Math.max(steps.ready[step] - since, 0), waker = model.wokenBy[step], many = steps.count[step] > 1;
  const held = model.delayed.get(step), unpolled = model.unpolled.get(step);
  const kind = name("wakerKind"), by = [name("wakerName"), name("wakerTask")].filter(Boolean).join(", ");
  return [
    heading(app, many ? plural(steps.count[step], "step") : "step", stepLabel(model, step)),
    facts(
      ["Task", taskLink(app, task)],
      ["Started", duration(steps.start[step])],
      ["Ran", duration(steps.running[step]), many ? ` in ${duration(steps.end[step] - steps.start[step])}` : ""],
      ["Was ready for", duration(steps.readyDuration[step])],
      ["Unpolled", unpolled ? `up to ${duration(unpolled)} more` : ""],
      ["Waited for", waited > 0 ? duration(waited) : "", waited > 0 && before >= 0 && names[steps.awaiting[before]] ? " " : "", waited > 0 && before >= 0 && names[steps.awaiting[before]] ? named(names[steps.awaiting[before]]) : ""],
      ["Woken by", kind, by && waker < 0 ? " " : "", by && waker < 0 ? named(by) : "", waker >= 0 ? " " : "", waker >= 0 ? stepLink(app, waker) : ""],
      ["Then", name("outcome"), name("awaiting") ? ", awaiting " : "", name("awaiting") ? named(name("awaiting")) : ""],
      ["At", placed(name("place"), name("function"))],
      ["Error", model.errors.has(step) ? named(model.errors.get(step), 1000) : ""],
      ...(model.details.get(step) ? pairsOf(model.details.get(step)) : []),
      ["Span", outward(app, name("trace"), steps.span.slice(step * 16, step * 16 + 16))],
    ),
    ...delays(app, step),
    ...(held || model.victims.has(step) ? [harm(app, step)] : []),
    ...(model.stalls.get(step) || []).map((stall) => part("Stall", make("p", { class: "harm" }, `${shown(stall.cause, 300)}: had held the thread for ${duration(stall.held)}`), make("pre", { class: "name", tabindex: 0 }, shownLines(stall.stack)))),
    ...printedLines(model.printed.filter((line) => line.step === step)),
    make("p", { class: "actions" },
      make("button", { type: "button", onclick: () => app.closeUp(step) }, "Zoom to it"),
      make("button", { type: "button", onclick: () => app.tracePath(task) }, "Critical path of its task")),
    ...pathPart(app),
  ];
}

function pairsOf(texts) {
  const rows = [];
  for (let i = 0; i + 1 < texts.length; i += 2) rows.push([shown(texts[i], 60), named(texts[i + 1], 500)]);
  return rows;
}

function shownLines(text) {
  return text.slice(0, 20000).split(/\r?\n/).map((line) => shown(line, 500)).join("\n");
}

function delaySentence(app, step) {
  const delay = app.model.delay.get(step);
  if (!delay) return "";
  const who = delay.name || delay.function || "something", many = delay.steps > 1 ? ` in ${plural(delay.steps, "step")}` : "";
  return `Ready for ${duration(app.model.steps.readyDuration[step])}, of it ${duration(delay.duration)} behind ${shown(who, 120)}${delay.task ? ` (${shown(delay.task, 80)})` : ""}${many}`;
}

function harmSentence(app, step) {
  const held = app.model.delayed.get(step);
  return held ? `Kept ${plural(held.count, "task")} waiting, for ${duration(held.duration)} together` : "";
}

function delays(app, step) {
  const delay = app.model.delay.get(step), culprit = app.model.delayedBy[step];
  if (!delay && culprit < 0) return [];
  return [part("Delayed by", make("p", {}, delaySentence(app, step)), facts(["Culprit", culprit >= 0 ? stepLink(app, culprit) : ""], ["Its code", delay ? placed(delay.place, delay.function) : ""]))];
}

function harm(app, step) {
  const { model } = app, victims = model.victims.get(step) || [];
  const list = make("ul", { class: "victims" });
  for (const victim of victims.slice(0, 50)) list.append(make("li", {}, stepLink(app, victim), ` ${duration(model.delay.get(victim)?.duration ?? model.steps.readyDuration[victim])}`));
  if (victims.length > 50) list.append(make("li", { class: "quiet" }, `and ${victims.length - 50} more`));
  return part("Held others up", make("p", { class: "harm" }, harmSentence(app, step)), list);
}

function printedLines(lines) {
  if (!lines.length) return [];
  return [part("Printed", make("pre", { class: "name", tabindex: 0 }, lines.slice(0, 100).map((line) => shown(line.text, 2000)).join("\n")))];
}

function aboutTask(app, { task }) {
  const { model } = app, { tasks, names } = model, name = (column) => names[tasks[column][task]];
  const cancel = Object.entries(tasks.cancel[task] || {});
  const list = model.stepsOf(task);
  return [
    heading(app, "task", lastPart(name("qualname")), name("name")),
    stateBar([["running", tasks.running[task]], ["ready", tasks.ready[task]], ["waiting", tasks.waiting[task]]]),
    facts(
      ["Lived", `${duration(tasks.length[task])}, from ${duration(tasks.start[task])}`],
      ["State", name("state"), name("awaiting") ? ", awaiting " : "", name("awaiting") ? named(name("awaiting")) : ""],
      ["Error", name("error") ? named(name("error"), 1000) : ""],
      ["Steps", plural(tasks.steps[task], "step"), list.length ? ": " : "", list.length ? stepLink(app, list[0]) : "", list.length > 1 ? " to " : "", list.length > 1 ? stepLink(app, list.at(-1)) : ""],
      ["Created by", tasks.creator[task] >= 0 ? taskLink(app, tasks.creator[task]) : ""],
      ["Code", placed(name("place"), name("function"))],
      ...cancel.map(([key, value]) => [`Cancel ${shown(key, 40)}`, named(value, 500)]),
      ["Spans", ...tasks.spans[task].slice(0, 5).flatMap((span, i) => [outward(app, names[tasks.traces[task][i]], span), make("br")])],
    ),
    make("p", { class: "actions" }, make("button", { type: "button", onclick: () => app.tracePath(task) }, "Critical path")),
    ...pathPart(app),
    ...printedLines(model.printed.filter((line) => line.task === task)),
  ];
}

// Running, ready and waiting as shares of one bar.
function stateBar(parts) {
  const total = parts.reduce((sum, [, amount]) => sum + amount, 0) || 1;
  const bar = make("div", { class: "states", role: "img", "aria-label": parts.map(([name, amount]) => `${name} ${duration(amount)}`).join(", ") });
  const key = make("p", { class: "key" });
  for (const [name, amount] of parts) {
    if (!(amount > 0)) continue;
    const stretch = make("i", { class: name });
    stretch.style.flexGrow = String(amount / total);
    bar.append(stretch);
    key.append(make("span", {}, make("i", { class: `swatch ${name}` }), `${name} ${duration(amount)}`));
  }
  return make("div", {}, bar, key);
}

function pathPart(app) {
  const { path } = app.state;
  if (!path) return [];
  const total = (map) => [...map.values()].reduce((a, b) => a + b, 0);
  const list = make("ol", { class: "path" });
  const longest = [...path.segments].sort((a, b) => b.amount - a.amount).slice(0, 12).sort((a, b) => a.start - b.start);
  for (const one of longest) {
    const what = { running: "ran", other: "ran", ready: one.name ? `ready behind ${shown(one.name, 80)}` : "ready", waiting: `waited for ${one.name}`, unknown: "not in the trace" }[one.kind];
    list.append(make("li", {}, one.step >= 0 ? stepLink(app, one.step) : "", ` ${what}, ${duration(one.amount)}`));
  }
  const more = path.segments.length - longest.length;
  return [part(`Critical path of ${shown(taskLabel(app.model, path.task), 80)}`,
    make("p", { id: "path-sentence" }, pathSentence(path)),
    stateBar([["running", path.running], ["waiting", total(path.waiting)], ["ready", total(path.ready)], ["others", total(path.other)], ["unknown", path.unknown]]),
    list, more > 0 ? make("p", { class: "quiet" }, `${plural(more, "shorter stretch", "shorter stretches")} left out here`) : "")];
}

function aboutFold(app, { tasks }) {
  const { model } = app, all = model.tasks, sum = (column) => tasks.reduce((total, task) => total + all[column][task], 0);
  const name = all.qualname[tasks[0]];
  const worst = [...tasks].sort((a, b) => all.length[b] - all.length[a]).slice(0, 10);
  return [
    heading(app, "folded tasks", lastPart(model.names[name]), `× ${tasks.length}`),
    stateBar([["running", sum("running")], ["ready", sum("ready")], ["waiting", sum("waiting")]]),
    make("p", { class: "actions" }, make("button", { type: "button", onclick: () => app.unfold(name) }, "Unfold")),
    part("The longest", make("ul", { class: "victims" }, ...worst.map((task) => make("li", {}, taskLink(app, task), ` ${duration(all.length[task])}`)))),
  ];
}

function aboutForeign(app, { span }) {
  return [
    heading(app, span.kind || "span", span.name),
    facts(
      ["Service", named(span.service)], ["Started", duration(span.start)], ["Took", duration(span.end - span.start)],
      ["Error", span.error ? named(span.error, 1000) : ""], ["In task", span.task >= 0 ? taskLink(app, span.task) : ""],
      ["Span", outward(app, span.trace, span.span)]),
  ];
}

// Nothing chosen: what is in the picture, how to read it, and where to look first.
function aboutAll(app) {
  const { model } = app, { steps, tasks } = model;
  const legend = make("ul", { class: "legend" });
  for (const [kind, text] of [["running", "running: holds the thread"], ["ready", "ready: could run, waits for the thread"], ["waiting", "waiting: suspended"], ["foreign", "another span"], ["stall", "stall: a stack was taken"]])
    legend.append(make("li", {}, make("i", { class: `swatch ${kind}` }), text));
  const stalled = [...model.stalls.keys()];
  const list = (title, found, text) => (found.length ? [part(title, make("ul", { class: "victims" }, ...found.map((step) => make("li", {}, stepLink(app, step), ` ${text(step)}`))))] : []);
  const harmful = [...model.delayed].sort((a, b) => b[1].duration - a[1].duration).slice(0, 5).map(([step]) => step);
  const delayed = [...model.delay.keys()].sort((a, b) => steps.readyDuration[b] - steps.readyDuration[a]).slice(0, 5);
  return [
    make("header", {}, make("div", {}, make("p", { class: "kind" }, "trace"), make("h2", {}, `${duration(model.end)}, ${plural(tasks.n, "task")}, ${plural(steps.n, "step")}`))),
    facts(["From", new Date(model.epoch).toISOString().replace("T", " ").replace("Z", " UTC")], ["Traces", ...model.traces.slice(0, 4).flatMap((trace) => [make("code", {}, shown(trace, 40)), make("br")]), model.traces.length > 4 ? `and ${model.traces.length - 4} more` : ""]),
    ...(model.missing.length ? [part("Missing", make("ul", {}, ...model.missing.slice(0, 20).map((text) => make("li", {}, named(text, 500)))))] : []),
    ...list("Held others up most", harmful, (step) => harmSentence(app, step).replace(/^Kept /, "kept ")),
    ...list("Delayed most", delayed, (step) => delaySentence(app, step).replace(/^Ready/, "ready")),
    ...list("Stalls", stalled.slice(0, 5), (step) => shown(model.stalls.get(step)[0].cause, 60)),
    part("How to read it", legend),
  ];
}
