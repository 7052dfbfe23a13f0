// Level of detail: the steps of a row with running sums, so that what is narrower than a pixel is drawn as a share of it.

function newSeries(model, list) {
  const { steps } = model, n = list.length;
  const series = { list, reach: new Float64Array(n), ran: new Float64Array(n + 1), waited: new Float64Array(n + 1) };
  let reach = -Infinity;
  for (let i = 0; i < n; i++) {
    const step = list[i];
    reach = Math.max(reach, steps.end[step]);
    series.reach[i] = reach;
    series.ran[i + 1] = series.ran[i] + steps.running[step];
    series.waited[i + 1] = series.waited[i] + steps.readyDuration[step];
  }
  return series;
}

// The series of a row, made when it is first looked at.
function seriesOf(model, row, cache) {
  const key = row.kind === "thread" ? `thread ${row.thread}` : `${row.kind} ${row.tasks[0]} ${row.tasks.length}`;
  if (!cache.has(key)) cache.set(key, newSeries(model, listOf(model, row)));
  return cache.get(key);
}

function listOf(model, row) {
  const { steps } = model;
  if (row.kind === "task") return model.stepsOf(row.tasks[0]);
  if (row.kind === "thread") {
    const found = [];
    for (let i = 0; i < steps.n; i++) if (steps.thread[i] === row.thread) found.push(i);
    return Int32Array.from(found);
  }
  // Steps are numbered by their start.
  return Int32Array.from(row.tasks.flatMap((task) => [...model.stepsOf(task)])).sort();
}

// The first place whose value is not below the one wanted.
function lower(n, value, wanted) {
  let low = 0, high = n;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (value(middle) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

// Calls bar(place, x, end) for what is a pixel wide or stands alone, and dense(first, behind, x) for a pixel full of steps.
function walk(model, series, view, bar, dense) {
  const { steps } = model, { list } = series, n = list.length;
  const pixel = (view.to - view.from) / view.width;
  let i = lower(n, (k) => series.reach[k], view.from), beyond = 0;
  while (i < n) {
    const step = list[i], start = steps.start[step];
    if (start > view.to) {
      // Not begun yet, but perhaps ready already.
      if (++beyond > 64) break;
      if (steps.ready[step] < view.to) bar(i, xOf(view, start), xOf(view, steps.end[step]));
      i++;
      continue;
    }
    const x = Math.floor(xOf(view, start)), next = view.from + (x + 1) * pixel;
    const behind = shortOnes(steps, list, i, next, pixel);
    if (behind - i > 1) {
      dense(i, behind, x);
      i = behind;
    } else {
      bar(i, xOf(view, start), xOf(view, steps.end[step]));
      i++;
    }
  }
}

// Behind the steps from `first` on that begin before `moment` and are narrower than a pixel; of very many not all are looked at.
function shortOnes(steps, list, first, moment, pixel) {
  const wide = (k) => steps.end[list[k]] - steps.start[list[k]] >= pixel;
  if (wide(first)) return first;
  const behind = first + lower(list.length - first, (k) => steps.start[list[first + k]], moment);
  for (let k = first + 1; k < Math.min(behind, first + 64); k++) if (wide(k)) return k;
  return wide(behind - 1) ? behind - 1 : behind;
}
