// What is visible: from when to when, over how many pixels. Zooming and panning are arithmetic on it.

//: the closest look, in microseconds across the page
const CLOSEST = 0.5;

function newView(model) {
  const view = { from: 0, to: 1, width: 1, first: 0, last: 1 };
  const length = Math.max(model.end - model.start, 1);
  view.first = model.start - length * 0.01;
  view.last = model.end + length * 0.03;
  fit(view);
  return view;
}

function fit(view) {
  view.from = view.first;
  view.to = view.last;
}

function xOf(view, time) {
  return ((time - view.from) / (view.to - view.from)) * view.width;
}

function timeAt(view, x) {
  return view.from + (x / view.width) * (view.to - view.from);
}

// Show from `from` to `to`, as far as there is something and as close as it makes sense.
function show(view, from, to) {
  let length = Math.min(Math.max(to - from, CLOSEST), view.last - view.first);
  const middle = (from + to) / 2;
  let start = to - from < CLOSEST || to - from > length ? middle - length / 2 : from;
  start = Math.min(Math.max(start, view.first), view.last - length);
  view.from = start;
  view.to = start + length;
}

// Zoom by a factor (above 1: closer), the moment at `x` staying where it is.
function zoom(view, factor, x = view.width / 2) {
  const time = timeAt(view, x), length = (view.to - view.from) / factor;
  const from = time - (x / view.width) * length;
  show(view, from, from + length);
}

function pan(view, pixels) {
  const by = (pixels / view.width) * (view.to - view.from);
  show(view, view.from + by, view.to + by);
}

// Bring a stretch into sight without zooming, unless it does not fit.
function reveal(view, start, end) {
  const length = view.to - view.from;
  if (start >= view.from && end <= view.to) return;
  if (end - start > length) return show(view, start - (end - start) * 0.1, end + (end - start) * 0.1);
  const middle = (start + end) / 2;
  show(view, middle - length / 2, middle + length / 2);
}

// Round moments for the ruler, about `wanted` of them.
function ticks(view, wanted) {
  const rough = (view.to - view.from) / Math.max(wanted, 1), power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((size) => size >= rough);
  const found = [];
  for (let i = Math.ceil(view.from / step); i * step <= view.to; i++) found.push(i * step);
  return { step, times: found };
}

function tickLabel(time, step) {
  const [unit, scale] = step >= 1e5 ? ["s", 1e6] : step >= 100 ? ["ms", 1e3] : ["µs", 1];
  const places = Math.max(0, -Math.floor(Math.log10(step / scale) + 1e-9));
  return `${(time / scale).toFixed(places)} ${unit}`;
}
