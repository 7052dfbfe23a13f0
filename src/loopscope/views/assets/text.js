// Texts: durations for people, and names from the trace, which are never markup.

const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/g;

// A name with what hides or turns text made visible, and no longer than `most`.
function shown(text, most = 240) {
  const cut = text.length > most ? text.slice(0, most - 1) + "…" : text;
  return cut.replace(HIDDEN, (one) => {
    const code = one.charCodeAt(0);
    return code < 32 ? String.fromCharCode(0x2400 + code) : code === 127 ? "\u2421" : "\ufffd";
  });
}

function digits(value) {
  const size = Math.abs(value);
  const places = size >= 100 ? 0 : size >= 10 ? 1 : 2;
  return String(Number(value.toFixed(places)));
}

// Microseconds for people.
function duration(us) {
  const size = Math.abs(us);
  if (size < 0.0005) return "0";
  if (size >= 120e6) return `${Math.floor(us / 60e6)} min ${Math.round((us % 60e6) / 1e6)} s`;
  if (size >= 1e6) return `${String(Number((us / 1e6).toFixed(size >= 10e6 ? 2 : 3)))} s`;
  if (size >= 1e3) return `${digits(us / 1e3)} ms`;
  return `${digits(us)} µs`;
}

function plural(count, one, many = one + "s") {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

// An element; children that are texts become text nodes.
function make(tag, about = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(about)) {
    if (value === undefined || value === false) continue;
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

// A name from the trace, kept apart from the direction of the text around it.
function named(text, most) {
  return make("bdi", { class: "name" }, shown(text, most));
}
