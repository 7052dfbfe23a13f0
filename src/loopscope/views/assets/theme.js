// Colours: those of the style sheet, read anew when the theme changes, and one for each task.

const THEMES = ["auto", "light", "dark"];

function readTheme() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(`--${name}`).trim();
  const colours = {};
  for (const name of ["paper", "band", "lane", "line", "text", "quiet", "wait", "ready", "ready-back", "harm", "focus", "foreign", "foreign-edge", "arrow", "veil"])
    colours[name] = of(name);
  colours.tasks = Array.from({ length: 8 }, (_, i) => of(`task-${i}`));
  colours.inks = colours.tasks.map(ink);
  return colours;
}

// Black or white, whichever is read better on a colour.
function ink(colour) {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const part = parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.3 ? "#0d1117" : "#ffffff";
}

// Of few tasks each has its own colour, of many each function.
function colouring(model) {
  const { tasks } = model, colour = new Uint8Array(tasks.n), seen = new Map();
  for (let task = 0; task < tasks.n; task++) {
    const by = tasks.n <= 8 ? task : tasks.qualname[task];
    if (!seen.has(by)) seen.set(by, seen.size % 8);
    colour[task] = seen.get(by);
  }
  return colour;
}

// Diagonal lines: ready is told from running without colour.
function hatch(ctx, colours) {
  const size = 6 * devicePixelRatio, tile = document.createElement("canvas");
  tile.width = tile.height = size;
  const pen = tile.getContext("2d");
  pen.fillStyle = colours["ready-back"];
  pen.fillRect(0, 0, size, size);
  pen.strokeStyle = colours.ready;
  pen.lineWidth = 1.4 * devicePixelRatio;
  pen.beginPath();
  for (const shift of [-size, 0, size]) {
    pen.moveTo(shift - 1, size + 1);
    pen.lineTo(shift + size + 1, -1);
  }
  pen.stroke();
  const pattern = ctx.createPattern(tile, "repeat");
  pattern.setTransform(new DOMMatrix().scale(1 / devicePixelRatio));
  return pattern;
}

function applyTheme(name) {
  if (name === "auto") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.dataset.theme = name;
}
