// The upper canvas: what is hovered and chosen, culprits and victims joined, the critical path; cheap to draw anew.

//: victims that are joined to their culprit by a line; all of them are counted
const JOINED = 200;

function drawOver(app) {
  const { over: ctx, view, state } = app;
  ctx.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
  ctx.clearRect(0, 0, view.width, app.height);
  app.joins = [];
  const step = state.hover?.kind === "step" ? state.hover.step : state.chosen?.kind === "step" ? state.chosen.step : -1;
  if (state.path) drawPath(app, ctx);
  if (step >= 0) drawJoins(app, ctx, step);
  for (const one of [state.chosen, state.hover]) if (one) outline(app, ctx, one, one === state.hover ? 1.5 : 2);
  if (state.drag?.select) selection(app, ctx);
  drawOverview(app);
  drawRuler(app);
}

function rowOfStep(app, step) {
  const number = app.layout.rowOf[app.model.steps.task[step]];
  return number < 0 ? null : app.layout.rows[number];
}

function outline(app, ctx, one, width) {
  const { view, colours, model } = app, { steps, tasks } = model;
  ctx.strokeStyle = colours.focus;
  ctx.lineWidth = width;
  const box = (row, start, end, y, height) => {
    const left = clipX(app, xOf(view, start)) - 2, right = Math.max(clipX(app, xOf(view, end)), left + 4) + 2;
    ctx.strokeRect(left, y, right - left, height);
  };
  if (one.kind === "step") {
    const row = rowOfStep(app, one.step);
    if (row) box(row, steps.start[one.step], steps.end[one.step], barMiddle(app, row) - 10, 20);
    for (const lane of app.layout.rows) if (lane.kind === "thread" && lane.thread === steps.thread[one.step]) box(lane, steps.start[one.step], steps.end[one.step], lane.y - app.scroll + 5, lane.height - 11);
  } else if (one.kind === "task" && !app.state.path) {
    const row = app.layout.rows[app.layout.rowOf[one.task]];
    if (row) box(row, tasks.start[one.task], tasks.end[one.task], row.y - app.scroll + 2, row.height - 5);
  }
}

// Of a step: who delayed it, and whom it delayed, in both directions, over a veil; and who woke it.
function drawJoins(app, ctx, step) {
  const { model, colours } = app, { steps } = model, culprit = model.delayedBy[step], victims = model.victims.get(step) || [];
  if (culprit >= 0) join(app, ctx, culprit, step);
  for (const victim of victims.slice(0, JOINED)) join(app, ctx, step, victim);
  const woken = [step, ...(model.wakes.get(step) || []).slice(0, JOINED)];
  for (const one of woken) {
    const waker = wakerOf(model, one), from = waker >= 0 ? rowOfStep(app, waker) : null, to = rowOfStep(app, one);
    if (from && to && from !== to) arrow(app, ctx, steps.ready[one], from, to, colours.focus, 1.5, model.wokenBy[one] < 0);
  }
}

function join(app, ctx, culprit, victim) {
  const { view, colours, model } = app, { steps } = model, from = rowOfStep(app, culprit), to = rowOfStep(app, victim);
  app.joins.push([culprit, victim]);
  if (!from || !to) return;
  ctx.strokeStyle = ctx.fillStyle = colours.harm;
  ctx.lineWidth = 1.5;
  for (const [row, start, end] of [[from, steps.start[culprit], steps.end[culprit]], [to, steps.ready[victim], steps.start[victim]]]) {
    const left = clipX(app, xOf(view, start)), right = Math.max(clipX(app, xOf(view, end)), left + 3);
    ctx.strokeRect(left, barMiddle(app, row) - 9, right - left, 18);
  }
  // Where both were at once: the culprit running, the victim ready.
  const start = Math.max(steps.start[culprit], steps.ready[victim]), end = Math.min(steps.end[culprit], steps.start[victim]);
  const x = clipX(app, xOf(view, (start + Math.max(start, end)) / 2)), a = barMiddle(app, from), b = barMiddle(app, to), down = b > a ? 1 : -1;
  if (from === to) return;
  ctx.globalAlpha = 0.7;
  ctx.beginPath();
  ctx.moveTo(x, a + down * 9);
  ctx.lineTo(x, b - down * 9);
  ctx.stroke();
  ctx.globalAlpha = 1;
  ctx.beginPath();
  ctx.arc(x, b - down * 9, 3, 0, 7);
  ctx.fill();
}

// The critical path: its stretches underlined in their rows, joined by the wakes.
function drawPath(app, ctx) {
  const { view, colours, state: { path } } = app;
  ctx.fillStyle = colours.veil;
  ctx.fillRect(0, 0, view.width, app.height);
  ctx.strokeStyle = ctx.fillStyle = colours.focus;
  let last = null;
  for (const part of path.segments) {
    const row = app.layout.rows[app.layout.rowOf[part.task]];
    if (!row) continue;
    const left = clipX(app, xOf(view, part.start)), right = Math.max(clipX(app, xOf(view, part.end)), left + 1), y = barMiddle(app, row);
    const thick = part.kind === "running" || part.kind === "other" ? 11 : part.kind === "ready" ? 7 : 3;
    if (part.kind === "ready") {
      ctx.fillStyle = app.hatch;
      ctx.fillRect(left, y - 6, right - left, 12);
      ctx.fillStyle = colours.focus;
      ctx.fillRect(left, y + 6, right - left, 2);
    } else ctx.fillRect(left, y - (thick - 1) / 2, right - left, thick);
    if (last && last.row !== row) ctx.fillRect(left - 1, Math.min(last.y, y), 2, Math.abs(last.y - y));
    last = { row, y };
  }
}

function selection(app, ctx) {
  const { drag } = app.state, { colours } = app, left = Math.min(drag.start, drag.x), width = Math.abs(drag.x - drag.start);
  ctx.globalAlpha = 0.15;
  ctx.fillStyle = colours.focus;
  ctx.fillRect(left, 0, width, app.height);
  ctx.globalAlpha = 1;
  ctx.fillRect(left, 0, 1, app.height);
  ctx.fillRect(left + width, 0, 1, app.height);
}

// How busy the threads were over the whole time, stalls, and the window that is in sight.
function drawOverview(app) {
  const { overview: ctx, view, colours, model } = app, height = 30;
  if (!app.busy || app.busy.length !== view.width) app.busy = busyness(app);
  ctx.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
  ctx.fillStyle = colours.lane;
  ctx.fillRect(0, 0, view.width, height);
  ctx.fillStyle = colours.quiet;
  app.busy.forEach((share, x) => {
    if (share > 0) ctx.fillRect(x, height - 2 - Math.max(2, Math.sqrt(share) * (height - 8)), 1, Math.max(2, Math.sqrt(share) * (height - 8)));
  });
  const at = (time) => ((time - view.first) / (view.last - view.first)) * view.width;
  ctx.fillStyle = colours.harm;
  for (const stalls of model.stalls.values()) for (const stall of stalls) ctx.fillRect(at(stall.time) - 1, 0, 3, 6);
  const left = at(view.from), right = Math.max(at(view.to), left + 3);
  ctx.fillStyle = colours.veil;
  ctx.fillRect(0, 0, left, height);
  ctx.fillRect(right, 0, view.width - right, height);
  ctx.strokeStyle = colours.focus;
  ctx.lineWidth = 1.5;
  ctx.strokeRect(left + 0.75, 0.75, Math.max(right - left - 1.5, 2), height - 1.5);
}

function busyness(app) {
  const { model: { steps, threads }, view } = app, share = new Float64Array(view.width), scale = view.width / (view.last - view.first);
  for (let i = 0; i < steps.n; i++) {
    const length = steps.end[i] - steps.start[i], part = length > 0 ? Math.min(steps.running[i] / length, 1) : 0;
    const from = (steps.start[i] - view.first) * scale, to = from + length * scale;
    for (let x = Math.floor(from); x <= to && x < share.length; x++) share[x] += part * Math.max(Math.min(to, x + 1) - Math.max(from, x), 0.0005);
  }
  return share.map((one) => Math.min(one / Math.max(threads.length, 1), 1));
}

function drawRuler(app) {
  const { ruler: ctx, view, colours, state } = app;
  ctx.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
  ctx.fillStyle = colours.paper;
  ctx.fillRect(0, 0, view.width, 22);
  ctx.font = SMALL;
  ctx.textBaseline = "middle";
  const { step, times } = ticks(view, view.width / 110);
  for (const time of times) {
    const x = Math.round(xOf(view, time));
    ctx.fillStyle = colours.line;
    ctx.fillRect(x, 0, 1, 22);
    ctx.fillStyle = colours.quiet;
    ctx.fillText(tickLabel(time, step), x + 4, 11);
  }
  if (state.pointer === null) return;
  const text = duration(timeAt(view, state.pointer)), width = ctx.measureText(text).width + 10, left = Math.min(Math.max(state.pointer - width / 2, 0), view.width - width);
  ctx.fillStyle = colours.focus;
  ctx.fillRect(left, 3, width, 16);
  ctx.fillStyle = colours.paper;
  ctx.fillText(text, left + 5, 11);
}
