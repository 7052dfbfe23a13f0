// Mouse, pen and fingers: hover, choose, pan, pinch, wheel, and a dragged stretch to zoom into.

function hit(app, x, y) {
  const { layout: { rows }, model, view } = app, at = y + app.scroll;
  const number = lower(rows.length, (i) => rows[i].y + rows[i].height, at + 0.001), row = rows[number];
  if (!row) return null;
  if (row.kind === "output") return hitLine(app, row, x);
  if (row.kind === "others") return spanAt(app, row.spans, x);
  const inside = at - row.y, lanes = row.spans?.length || 0;
  if (lanes && inside < 3 + lanes * HEIGHT.foreign) {
    const found = spanAt(app, row.spans[Math.min(Math.max(Math.floor((inside - 3) / HEIGHT.foreign), 0), lanes - 1)], x);
    if (found) return found;
  }
  if (row.kind === "process") return null;
  const step = stepAt(model, seriesOf(model, row, app.cache), view, x, row.kind !== "thread");
  if (step >= 0) return { kind: "step", step };
  if (row.kind === "task") return { kind: "task", task: row.tasks[0] };
  return row.kind === "fold" ? { kind: "fold", tasks: row.tasks } : null;
}

// The step under a pixel or next to it; the time that it was ready counts as its own.
function stepAt(model, series, view, x, ready) {
  const { steps } = model, { list, reach } = series, time = timeAt(view, x), near = timeAt(view, x + 3) - time;
  let best = -1, distance = Infinity;
  const first = lower(list.length, (i) => reach[i], time - near);
  for (let i = first, seen = 0; i < list.length && seen < 400; i++, seen++) {
    const step = list[i];
    if (steps.start[step] > time + near && !ready) break;
    const from = ready ? steps.ready[step] : steps.start[step];
    // The innermost of nested ones: the later.
    const away = time < from ? from - time : time > steps.end[step] ? time - steps.end[step] : ready && time < steps.start[step] ? near / 2 : 0;
    if (away <= near && away <= distance) [best, distance] = [step, away];
  }
  return best;
}

function spanAt(app, spans, x) {
  const time = timeAt(app.view, x), near = timeAt(app.view, x + 3) - time;
  const span = spans.find((one) => one.start - near <= time && time <= one.end + near);
  return span ? { kind: "foreign", span } : null;
}

function hitLine(app, row, x) {
  const time = timeAt(app.view, x), near = timeAt(app.view, x + 5) - time;
  const line = row.lines.filter((one) => Math.abs(one.time - time) <= near);
  return line.length ? { kind: "lines", lines: line } : null;
}

function bindPointer(app) {
  const canvas = document.getElementById("over"), fingers = new Map();
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  canvas.addEventListener("pointerdown", (event) => {
    const [x, y] = at(event);
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, [x, y]);
    app.state.drag = { start: x, x, y, moved: 0, select: event.shiftKey };
    hideTip();
  });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = at(event), { drag } = app.state;
    app.state.pointer = x;
    if (fingers.size === 2 && fingers.has(event.pointerId)) pinch(app, fingers, event.pointerId, [x, y]);
    else if (drag && fingers.size) {
      drag.moved += Math.abs(x - drag.x) + Math.abs(y - drag.y);
      if (!drag.select) {
        pan(app.view, drag.x - x);
        app.scroller.scrollTop += drag.y - y;
      }
      [drag.x, drag.y] = [x, y];
      app.draw();
    } else hover(app, x, y, event);
    if (fingers.has(event.pointerId)) fingers.set(event.pointerId, [x, y]);
  });
  const up = (event) => {
    const { drag } = app.state, [x, y] = at(event), alone = fingers.size === 1;
    fingers.delete(event.pointerId);
    if (fingers.size) return;
    app.state.drag = null;
    if (!drag || event.type === "pointercancel") return;
    if (drag.select && drag.moved > 4) show(app.view, ...[timeAt(app.view, drag.start), timeAt(app.view, x)].sort((a, b) => a - b));
    else if (drag.moved <= 4 && alone) {
      const one = hit(app, x, y);
      app.choose(one?.kind === "lines" ? ofLine(one.lines[0]) : one);
    }
    app.draw();
  };
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", up);
  canvas.addEventListener("pointerleave", () => {
    app.state.pointer = app.state.hover = null;
    hideTip();
    app.drawOver();
  });
  canvas.addEventListener("dblclick", (event) => {
    const one = hit(app, ...at(event));
    if (one?.kind === "step") app.closeUp(one.step);
    else if (one?.kind === "fold") app.unfold(app.model.tasks.qualname[one.tasks[0]]);
  });
  document.getElementById("paper").addEventListener("wheel", (event) => {
    event.preventDefault();
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) pan(app.view, event.deltaX || event.deltaY);
    else if (event.altKey) app.scroller.scrollTop += event.deltaY;
    else zoom(app.view, Math.exp(-Math.max(-200, Math.min(200, event.deltaY)) * 0.002), at(event)[0]);
    app.draw();
  }, { passive: false });
  bindTimes(app);
}

function ofLine(line) {
  return line.step >= 0 ? { kind: "step", step: line.step } : line.task >= 0 ? { kind: "task", task: line.task } : null;
}

function pinch(app, fingers, id, to) {
  const [other] = [...fingers].filter(([key]) => key !== id).map(([, place]) => place), from = fingers.get(id);
  const before = Math.hypot(from[0] - other[0], from[1] - other[1]), after = Math.hypot(to[0] - other[0], to[1] - other[1]);
  if (app.state.drag) app.state.drag.moved = 100;
  if (before > 4 && after > 4) zoom(app.view, after / before, (to[0] + other[0]) / 2);
  pan(app.view, -(to[0] - from[0]) / 2);
  app.draw();
}

function hover(app, x, y, event) {
  const one = hit(app, x, y), before = app.state.hover;
  app.state.hover = one?.kind === "task" || one?.kind === "fold" ? null : one;
  if (one && app.state.hover && event.pointerType !== "touch") showTip(tipOf(app, one), event.clientX, event.clientY);
  else hideTip();
  if (before || app.state.hover || app.state.pointer !== null) app.drawOver();
}

// What the tip says of something, in short lines.
function tipOf(app, one) {
  const { model } = app, { steps, names } = model;
  if (one.kind === "lines") return one.lines.slice(0, 12).map((line) => [line.text, ""]);
  if (one.kind === "foreign") return [[one.span.name, ""], ["", `${one.span.kind || "span"}, ${duration(one.span.end - one.span.start)}${one.span.error ? `, ${one.span.error}` : ""}`]];
  const { step } = one, then = [names[steps.outcome[step]], names[steps.awaiting[step]]].filter(Boolean).join(" ");
  return [
    [stepLabel(model, step), ""],
    ["", `ran ${duration(steps.running[step])}${steps.count[step] > 1 ? ` in ${steps.count[step]} steps` : ""}, at ${duration(steps.start[step])}, then ${then}`],
    ["", [`woken by ${[names[steps.wakerKind[step]], names[steps.wakerName[step]]].filter(Boolean).join(" ") || "?"}`, delaySentence(app, step) ? "" : `ready for ${duration(steps.readyDuration[step])}`].filter(Boolean).join(", ")],
    ["harm", delaySentence(app, step)],
    ["harm", harmSentence(app, step)],
    ["harm", model.stalls.has(step) ? `Stall: ${model.stalls.get(step)[0].cause}` : ""],
  ].map(([first, second]) => (second ? [second, first] : first === "harm" ? ["", ""] : [first, ""])).filter(([text]) => text);
}

function showTip(lines, x, y) {
  const tip = document.getElementById("tip");
  tip.replaceChildren(...lines.map(([text, kind], i) => make("p", { class: kind || (i ? "" : "first") }, named(text, 300))));
  tip.hidden = false;
  const box = tip.getBoundingClientRect(), left = x + 14 + box.width > innerWidth ? Math.max(4, x - box.width - 10) : x + 14;
  tip.style.left = `${left}px`;
  tip.style.top = `${y + 18 + box.height > innerHeight ? Math.max(4, y - box.height - 10) : y + 18}px`;
}

function hideTip() {
  document.getElementById("tip").hidden = true;
}

// The overview moves the window, the ruler selects a stretch.
function bindTimes(app) {
  const overview = document.getElementById("overview"), ruler = document.getElementById("ruler");
  const drag = (canvas, begin, move, end) => {
    let state = null;
    const x = (event) => event.clientX - canvas.getBoundingClientRect().left;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      state = begin(x(event), event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (state) move(state, x(event));
      if (state) app.draw();
    });
    canvas.addEventListener("pointerup", (event) => {
      if (state) end(state, x(event));
      state = null;
      app.draw();
    });
  };
  const time = (x) => app.view.first + (x / app.view.width) * (app.view.last - app.view.first);
  drag(overview, (x) => {
    const { from, to } = app.view, inside = time(x) >= from && time(x) <= to && to - from < (app.view.last - app.view.first) * 0.98;
    return { x, inside, moved: 0, first: x };
  }, (state, x) => {
    state.moved += Math.abs(x - state.x);
    const by = time(x) - time(state.x);
    if (state.inside) show(app.view, app.view.from + by, app.view.to + by);
    state.x = x;
  }, (state, x) => {
    const length = app.view.to - app.view.from;
    if (!state.inside && state.moved > 4) show(app.view, ...[time(state.first), time(x)].sort((a, b) => a - b));
    else if (state.moved <= 4) show(app.view, time(x) - length / 2, time(x) + length / 2);
  });
  drag(ruler, (x) => (app.state.drag = { start: x, x, select: true }), (state, x) => (state.x = x), (state, x) => {
    app.state.drag = null;
    if (Math.abs(x - state.start) > 4) show(app.view, ...[timeAt(app.view, state.start), timeAt(app.view, x)].sort((a, b) => a - b));
  });
}
