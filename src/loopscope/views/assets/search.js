// Search: which tasks match, by name, function, file, error, or what they wait for.

function matchingTasks(model, text) {
  const wanted = text.trim().toLowerCase();
  if (!wanted) return null;
  // Each text is looked at once, however many tasks have it.
  const hit = new Uint8Array(model.names.length);
  model.names.forEach((name, i) => (hit[i] = name.toLowerCase().includes(wanted) ? 1 : 0));
  const { tasks } = model, found = new Set();
  for (let task = 0; task < tasks.n; task++)
    if (["name", "qualname", "function", "place", "error", "awaiting"].some((column) => hit[tasks[column][task]])) found.add(task);
  return found;
}

function search(app, text) {
  app.state.matching = matchingTasks(app.model, text);
  app.state.match = -1;
  app.relayout();
  if (app.state.matching?.size) nextMatch(app, 1, false);
  tellMatches(app);
}

function nextMatch(app, by, choose = true) {
  const found = [...(app.state.matching || [])].sort((a, b) => app.layout.rowOf[a] - app.layout.rowOf[b] || a - b);
  if (!found.length) return;
  app.state.match = (app.state.match + by + found.length) % found.length;
  const task = found[app.state.match];
  if (choose) app.choose({ kind: "task", task }, { reveal: true });
  else app.revealTask(task);
  tellMatches(app);
}

function tellMatches(app) {
  const { matching, match } = app.state;
  document.getElementById("matches").textContent = matching ? (matching.size ? `${match + 1} of ${matching.size}` : "none") : "";
}
