// The picture itself: rows, bars, hatches, output and wake arrows on the lower canvas, only what is in sight.

const FONT = '12px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif', SMALL = FONT.replace("12px", "11px");
//: more arrows than this in sight say nothing
const ARROWS = 300;

function drawBase(app) {
  const { ctx, view, colours, layout: { rows } } = app;
  const frame = (app.frame = { bars: 0, arrows: 0, texts: [] });
  ctx.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
  ctx.fillStyle = colours.paper;
  ctx.fillRect(0, 0, view.width, app.height);
  const shownRows = visibleRows(app);
  for (const row of shownRows) backdrop(app, row);
  gridLines(app);
  for (const row of shownRows) {
    const top = row.y - app.scroll;
    if (row.kind === "thread") drawThread(app, row, top);
    else if (row.kind === "output") drawOutput(app, row, top);
    else if (row.kind === "others") drawForeign(app, row.spans, top + 6, 12);
    else if (row.tasks) drawTask(app, row, top);
  }
  if (app.state.wakes) drawArrows(app, shownRows);
  frame.rows = shownRows.length;
}

function visibleRows(app) {
  const { rows } = app.layout, first = lower(rows.length, (i) => rows[i].y + rows[i].height, app.scroll + 0.5);
  let last = first;
  while (last < rows.length && rows[last].y < app.scroll + app.height) last++;
  return rows.slice(first, last);
}

function backdrop(app, row) {
  const { ctx, view, colours } = app, top = row.y - app.scroll;
  if (row.kind === "process") ctx.fillStyle = colours.band;
  else if (row.kind === "thread" || row.kind === "output") ctx.fillStyle = colours.lane;
  else ctx.fillStyle = colours.paper;
  ctx.fillRect(0, top, view.width, row.height);
  ctx.fillStyle = colours.line;
  ctx.fillRect(0, top + row.height - 1, view.width, 1);
}

function gridLines(app) {
  const { ctx, view, colours } = app;
  ctx.fillStyle = colours.line;
  for (const time of ticks(view, view.width / 110).times) ctx.fillRect(Math.round(xOf(view, time)), 0, 1, app.height);
}

// Text from the trace on the canvas: isolated, so that its direction stays its own.
function write(app, text, x, y, kind) {
  app.ctx.fillText(`\u2068${text}\u2069`, x, y);
  app.frame.texts.push({ kind, text, x });
}

function measure(app, text) {
  const known = app.widths.get(text);
  if (known !== undefined) return known;
  if (app.widths.size > 5000) app.widths.clear();
  const width = app.ctx.measureText(text).width;
  app.widths.set(text, width);
  return width;
}

// As much of a text as fits, or nothing.
function fitted(app, text, room) {
  if (room < 18) return "";
  const all = shown(text, 200);
  if (measure(app, all) <= room) return all;
  let low = 0, high = all.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (measure(app, all.slice(0, middle) + "…") <= room) low = middle;
    else high = middle - 1;
  }
  return low > 2 ? all.slice(0, low) + "…" : "";
}

function clipX(app, x) {
  return Math.min(Math.max(x, -4), app.view.width + 4);
}

// A bar of a task's colour with its label; coalesced steps are half as high, because they did not run all the time.
function stepBar(app, step, x, end, top, height, label) {
  const { ctx, model, colours } = app, colour = app.colour[model.steps.task[step]];
  const left = clipX(app, x), width = Math.max(clipX(app, end) - left, 2);
  const many = model.steps.count[step] > 1;
  ctx.fillStyle = colours.tasks[colour];
  if (many) {
    ctx.globalAlpha = 0.45;
    ctx.fillRect(left, top + height * 0.25, width, height * 0.5);
    ctx.globalAlpha = 1;
  } else ctx.fillRect(left, top, width, height);
  app.frame.bars++;
  if (label && width > 24) {
    const text = fitted(app, label(), width - 10);
    if (text) {
      ctx.fillStyle = many ? colours.text : colours.inks[colour];
      write(app, text, Math.max(left, 0) + 5, top + height / 2 + 0.5, "bar");
    }
  }
}

// A pixel full of steps: as high as they ran in it.
function densePixel(app, series, first, behind, x, top, height) {
  const { ctx, view, model, colours } = app, pixel = (view.to - view.from) / view.width;
  const share = Math.min(1, (series.ran[behind] - series.ran[first]) / pixel);
  const ready = Math.min(1, (series.waited[behind] - series.waited[first]) / pixel);
  if (ready > 0.2) {
    ctx.fillStyle = colours.ready;
    ctx.fillRect(x, top + height - 3, 1, 3);
  }
  const { steps } = model;
  let longest = series.list[first];
  for (let i = first; i < Math.min(behind, first + 8); i++) {
    const step = series.list[i];
    if (steps.running[step] > steps.running[longest]) longest = step;
  }
  // Alone it is drawn as wide and high as any single step.
  const far = (place, other) => !(place in series.list) || Math.abs(steps.start[series.list[place]] - steps.start[series.list[other]]) > 4 * pixel;
  const alone = far(first - 1, first) && far(behind, behind - 1);
  const high = alone ? height : Math.max(4, Math.round(height * Math.sqrt(share)));
  ctx.fillStyle = colours.tasks[app.colour[steps.task[longest]]];
  ctx.fillRect(x, top + (height - high) / 2, alone ? 2 : 1, high);
  app.frame.bars++;
}

function readyBar(app, start, end, top, height) {
  const { ctx, view, colours } = app, left = clipX(app, xOf(view, start)), right = clipX(app, xOf(view, end));
  if (right - left < 1.5) return;
  ctx.fillStyle = app.hatch;
  ctx.fillRect(left, top, right - left, height);
  ctx.strokeStyle = colours.ready;
  ctx.lineWidth = 1;
  ctx.strokeRect(left + 0.5, top + 0.5, right - left - 1, height - 1);
}

function drawTask(app, row, top) {
  const { ctx, view, model, colours } = app, { steps, tasks } = model;
  const space = (row.spans?.length || 0) * HEIGHT.foreign, y = top + 5 + space, height = HEIGHT.task - 11, middle = y + Math.floor(height / 2);
  ctx.fillStyle = colours.wait;
  for (const task of row.tasks.length > 400 ? [] : row.tasks) {
    const left = clipX(app, xOf(view, tasks.start[task])), right = clipX(app, xOf(view, tasks.end[task]));
    ctx.fillRect(left, middle, Math.max(right - left, 1), 1);
  }
  const series = seriesOf(model, row, app.cache), alone = row.kind === "task";
  ctx.font = SMALL;
  const bars = [];
  walk(model, series, view, (i, x, end) => {
    const step = series.list[i];
    readyBar(app, steps.ready[step], steps.start[step], y + 2, height - 4);
    bars.push([step, x, end]);
  }, (first, behind, x) => densePixel(app, series, first, behind, x, y, height));
  for (const [step, x, end] of bars)
    stepBar(app, step, x, end, y, height, () => (alone ? `${steps.index[step]}${steps.count[step] > 1 ? ` – ${steps.count[step]} steps` : ""}` : stepLabel(model, step)));
  if (alone) for (const [step, , end] of bars) awaited(app, row, step, end, middle);
  marks(app, bars.map(([step]) => step), top + space);
  (row.spans || []).forEach((line, i) => drawForeign(app, line, top + 3 + i * HEIGHT.foreign, 4));
}

// What a task waits for, in words over its line where there is room.
function awaited(app, row, step, end, middle) {
  const { ctx, view, model, colours } = app, { steps, names, tasks } = model;
  const next = model.next(step), until = next >= 0 ? steps.ready[next] : tasks.end[row.tasks[0]];
  const left = Math.max(end, 0) + 8, room = Math.min(xOf(view, until), view.width) - left - 8;
  const text = room > 40 ? fitted(app, names[steps.awaiting[step]], room) : "";
  if (!text) return;
  const width = measure(app, text);
  ctx.fillStyle = colours.paper;
  ctx.fillRect(left - 3, middle - 7, width + 6, 15);
  ctx.fillStyle = colours.quiet;
  write(app, text, left, middle + 1, "awaiting");
}

// Stalls: a flag at the moment that somebody looked.
function marks(app, list, top) {
  const { ctx, view, model, colours } = app;
  for (const step of list) for (const stall of model.stalls.get(step) || []) {
    const x = clipX(app, xOf(view, stall.time));
    ctx.fillStyle = colours.harm;
    ctx.beginPath();
    ctx.moveTo(x - 5, top + 1);
    ctx.lineTo(x + 5, top + 1);
    ctx.lineTo(x, top + 9);
    ctx.closePath();
    ctx.strokeStyle = colours.paper;
    ctx.lineWidth = 4;
    ctx.stroke();
    ctx.fill();
  }
}

// Who holds the thread: every step in its task's colour, with names beside what is too narrow for its own.
function drawThread(app, row, top) {
  const { ctx, view, model } = app, { steps } = model, series = seriesOf(model, row, app.cache);
  const y = top + 8, height = row.height - 17, drawn = [];
  ctx.font = SMALL;
  const group = (from, to, list, more) => {
    const last = drawn.at(-1);
    if (last && from - last.to < 5 && !(last.to - last.from > 40)) {
      last.to = Math.max(last.to, to);
      if (last.list.length < 4) last.list.push(...list);
      last.count += list.length + more;
    } else drawn.push({ from, to, list, count: list.length + more });
  };
  walk(model, series, view, (i, x, end) => {
    const step = series.list[i];
    stepBar(app, step, x, end, y, height, () => stepLabel(model, step));
    group(x, Math.max(end, x + 2), [step], 0);
    marks(app, [step], top);
  }, (first, behind, x) => {
    densePixel(app, series, first, behind, x, y, height);
    group(x, x + 1, [...series.list.subarray(first, Math.min(behind, first + 4))], Math.max(0, behind - first - 4));
  });
  drawn.forEach((cluster, i) => nameCluster(app, cluster, drawn[i - 1], drawn[i + 1], y + height / 2 + 0.5));
}

// The steps of a narrow cluster, named beside it: to the right, or at the right edge to the left, where there is room.
function nameCluster(app, cluster, before, after, y) {
  const { ctx, view, model } = app;
  if ((cluster.to - cluster.from > 24 && cluster.count === 1) || cluster.count > 12 || cluster.to < 0) return;
  const labels = cluster.list.slice(0, 4).map((step) => shown(stepLabel(model, step), 60)), more = cluster.count - labels.length;
  const text = labels.join(" · ") + (more > 0 ? ` · +${more}` : ""), width = measure(app, text);
  const right = Math.max(cluster.to, 0) + 5, room = Math.min(after?.from ?? view.width, view.width) - right - 6;
  const left = cluster.from - 5 - width;
  ctx.fillStyle = app.colours.quiet;
  if (room < width && !after && left > (before ? before.to + 5 + (before.named || 0) : 0) + 8) return write(app, text, left, y, "thread");
  const part = room < 24 ? "" : fitted(app, text, room);
  cluster.named = part ? measure(app, part) : 0;
  if (part) write(app, part, right, y, "thread");
}

// The printed lines at their moments, beside each other's as far as there is room.
function drawOutput(app, row, top) {
  const { ctx, view, colours } = app, depth = Math.round((row.height - 8) / HEIGHT.line), free = Array(depth).fill(-Infinity);
  ctx.font = SMALL;
  let i = lower(row.lines.length, (k) => row.lines[k].time, view.from - (view.to - view.from) * 0.3), hidden = 0;
  for (let drawn = 0; i < row.lines.length && drawn < 4000; i++, drawn++) {
    const line = row.lines[i], x = xOf(view, line.time);
    if (x > view.width) break;
    const room = view.width - x - 10, text = fitted(app, line.text, Math.min(320, Math.max(room, x - 10)));
    const width = measure(app, text), left = room < width ? x - width - 6 : x + 6;
    const at = free.findIndex((end) => end < Math.min(left, x) - 2);
    const bad = line.stream === "stderr";
    ctx.fillStyle = bad ? colours.harm : colours.quiet;
    if (at < 0) {
      hidden++;
      ctx.fillRect(x, top + row.height - 6, 1, 4);
      continue;
    }
    const y = top + 4 + at * HEIGHT.line;
    ctx.fillRect(x, y + 2, 2, HEIGHT.line - 4);
    ctx.fillStyle = bad ? colours.harm : colours.text;
    write(app, text, left, y + HEIGHT.line / 2 + 0.5, "output");
    free[at] = Math.max(x, left + width) + 4;
  }
  app.frame.hiddenLines = hidden;
}

// Other people's spans: thin bars.
function drawForeign(app, spans, top, height) {
  const { ctx, view, colours } = app;
  let last = -Infinity;
  for (let i = lower(spans.length, (k) => spans[k].end, view.from); i < spans.length; i++) {
    const span = spans[i], x = xOf(view, span.start);
    if (x > view.width) break;
    const left = clipX(app, x), right = Math.max(clipX(app, xOf(view, span.end)), left + 2);
    if (right < last + 0.5) continue;
    last = right;
    ctx.fillStyle = span.error ? colours.harm : colours.foreign;
    ctx.fillRect(left, top, right - left, height);
    if (height < 10) continue;
    const text = fitted(app, span.name, right - left - 8);
    ctx.fillStyle = colours.text;
    if (text) write(app, text, Math.max(left, 0) + 4, top + height / 2 + 0.5, "foreign");
  }
}

// From the waker's row to the woken one's, at the moment of the wake.
function drawArrows(app, shownRows) {
  const { ctx, view, model, colours, layout: { rows, rowOf } } = app, { steps, arrows } = model;
  const first = lower(arrows.length, (i) => steps.ready[arrows[i]], view.from);
  const last = lower(arrows.length, (i) => steps.ready[arrows[i]], view.to);
  if (last - first > 20 * ARROWS) return;
  const top = shownRows[0]?.number ?? 0, bottom = shownRows.at(-1)?.number ?? -1, wanted = [];
  for (let i = first; i < last; i++) {
    const step = arrows[i], from = rowOf[steps.task[wakerOf(model, step)]], to = rowOf[steps.task[step]];
    if (from < 0 || to < 0 || from === to || Math.max(from, to) < top || Math.min(from, to) > bottom) continue;
    wanted.push([step, rows[from], rows[to]]);
  }
  if (wanted.length > ARROWS) return;
  for (const [step, from, to] of wanted) arrow(app, ctx, steps.ready[step], from, to, colours.arrow, 1, model.wokenBy[step] < 0);
}

function wakerOf(model, step) {
  return model.wokenBy[step] >= 0 ? model.wokenBy[step] : model.createdBy[step];
}

function barMiddle(app, row) {
  return row.y - app.scroll + (row.spans?.length && row.tasks ? row.spans.length * HEIGHT.foreign : 0) + 5 + Math.floor((HEIGHT.task - 11) / 2);
}

function arrow(app, ctx, time, from, to, colour, width, dashed) {
  const x = Math.round(xOf(app.view, time)) + 0.5, start = barMiddle(app, from), end = barMiddle(app, to);
  const down = end > start ? 1 : -1, tip = end - down * 8;
  ctx.strokeStyle = ctx.fillStyle = colour;
  ctx.lineWidth = width;
  ctx.setLineDash(dashed ? [2, 3] : []);
  ctx.beginPath();
  ctx.moveTo(x, start + down * 8);
  ctx.lineTo(x, tip - down * 5);
  ctx.stroke();
  ctx.setLineDash([]);
  ctx.beginPath();
  ctx.moveTo(x, tip);
  ctx.lineTo(x - 3.5, tip - down * 6);
  ctx.lineTo(x + 3.5, tip - down * 6);
  ctx.fill();
  app.frame.arrows++;
}
