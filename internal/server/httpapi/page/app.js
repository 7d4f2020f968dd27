"use strict";
// Draws the flow in layers from left to right: topics, the pipelines that read them, the topics these write, the sinks.

const WIDTH = 250, GAP_X = 80, HEIGHT = 104, GAP_Y = 24;
const number = new Intl.NumberFormat("en");
const boxes = new Map();
let selected = null, last = null, heard = 0;

function graph(flow) {
  const nodes = new Map(), edges = [];
  for (const t of flow.topics) nodes.set("topic " + t.name, { kind: "topic", name: t.name, data: t });
  for (const p of flow.pipelines) {
    const id = "pipeline " + p.name;
    nodes.set(id, { kind: "pipeline", name: p.name, data: p });
    for (const s of p.sources) if (!p.sinks.includes(s)) edges.push(["topic " + s, id, p.rate]);
    for (const s of p.sinks) edges.push([id, "topic " + s, p.rate]);
  }
  for (const s of flow.sinks) {
    const id = "sink " + s.name;
    nodes.set(id, { kind: "sink", name: s.name, data: s });
    for (const t of s.topics) edges.push(["topic " + t, id, s.rate]);
  }
  const known = edges.filter(([a, b]) => nodes.has(a) && nodes.has(b));
  for (const n of nodes.values()) n.layer = 0;
  for (let round = 0; round < nodes.size; round++) {
    let changed = false;
    for (const [a, b] of known) {
      const want = nodes.get(a).layer + 1;
      if (nodes.get(b).layer < want && want <= nodes.size) { nodes.get(b).layer = want; changed = true; }
    }
    if (!changed) break;
  }
  return { nodes, edges: known };
}

function span(ms) {
  if (ms < 0) return "–";
  if (ms < 1000) return ms + " ms";
  if (ms < 120000) return (ms / 1000).toFixed(1) + " s";
  return Math.round(ms / 60000) + " min";
}

function rate(r) { return (r >= 100 ? number.format(Math.round(r)) : r.toFixed(1)) + "/s"; }

function lines(n) {
  const d = n.data;
  if (n.kind === "topic") return [number.format(d.records) + " records", rate(d.rate) + " · " + d.partitions + (d.partitions === 1 ? " partition" : " partitions")];
  if (n.kind === "pipeline") return [number.format(d.processed) + " processed · " + rate(d.rate), d.state + " · lag " + number.format(d.lag)];
  return [number.format(d.delivered) + " delivered · " + rate(d.rate), "fresh in " + span(d.freshnessP50Ms) + " (p99 " + span(d.freshnessP99Ms) + ") · lag " + number.format(d.lag)];
}

function draw(flow) {
  const { nodes, edges } = graph(flow);
  const host = document.getElementById("flow");
  const layers = [];
  for (const [id, n] of nodes) (layers[n.layer] ||= []).push([id, n]);
  const tallest = Math.max(1, ...layers.map((l) => (l ? l.length : 0)));
  const height = tallest * (HEIGHT + GAP_Y);
  host.style.height = height + "px";
  host.style.width = layers.length * (WIDTH + GAP_X) + "px";
  const seen = new Set();
  layers.forEach((layer, x) => {
    const top = (height - layer.length * (HEIGHT + GAP_Y)) / 2;
    layer.forEach(([id, n], y) => { seen.add(id); place(host, id, n, x * (WIDTH + GAP_X), top + y * (HEIGHT + GAP_Y)); });
  });
  for (const [id, box] of boxes) if (!seen.has(id)) { box.remove(); boxes.delete(id); }
  link(host, nodes, edges);
  const node = flow.node;
  document.getElementById("node").textContent = `${node.broker === "embedded" ? "embedded broker" : node.broker} · clients connect to ${node.kafka} · up ${span(node.uptimeMs)} · ${node.version}`;
}

function place(host, id, n, x, y) {
  let box = boxes.get(id);
  if (!box) {
    box = document.createElement("button");
    box.type = "button";
    for (const c of ["kind", "name", "figure", "figure soft state"]) {
      const s = document.createElement("span");
      s.className = c;
      box.append(s);
    }
    box.addEventListener("click", () => { selected = id; details(); });
    boxes.set(id, box);
    host.append(box);
  }
  box.className = "box " + n.kind + (n.data.state === "failed" ? " failed" : "");
  box.style.left = x + "px";
  box.style.top = y + "px";
  n.x = x; n.y = y;
  const [kind, name, first, second] = box.children;
  kind.textContent = n.kind === "sink" ? n.data.target : n.kind;
  name.textContent = n.name;
  [first.textContent, second.textContent] = lines(n);
}

function link(host, nodes, edges) {
  const ns = "http://www.w3.org/2000/svg";
  let svg = host.querySelector("svg");
  if (!svg) { svg = document.createElementNS(ns, "svg"); host.prepend(svg); }
  svg.replaceChildren(...edges.map(([a, b, r]) => {
    const p = document.createElementNS(ns, "path"), from = nodes.get(a), to = nodes.get(b);
    const x1 = from.x + WIDTH, y1 = from.y + HEIGHT / 2, x2 = to.x, y2 = to.y + HEIGHT / 2, bend = Math.max(30, (x2 - x1) / 2);
    p.setAttribute("d", `M${x1},${y1} C${x1 + bend},${y1} ${x2 - bend},${y2} ${x2},${y2}`);
    if (r > 0) p.setAttribute("class", "active");
    return p;
  }));
}

function details() {
  const n = selected && last && graph(last).nodes.get(selected);
  const section = document.getElementById("details");
  section.hidden = !n;
  if (!n) return;
  document.getElementById("details-name").textContent = n.kind + " " + n.name;
  document.getElementById("details-error").textContent = n.data.error || "";
  document.getElementById("details-text").textContent = n.data.topology || (n.kind === "topic"
    ? `mainstem topic consume ${n.name} --bootstrap ${last.node.kafka}`
    : n.data.link ? `the result: ${n.data.link}` : n.data.target);
}

const source = new EventSource("/v1/events");
source.onmessage = (e) => { heard = Date.now(); last = JSON.parse(e.data); draw(last); details(); };
setInterval(() => {
  const stale = Date.now() - heard > 3000, live = document.getElementById("live");
  live.className = stale ? "stale" : "";
  live.textContent = stale ? "● no news from the node" : "● live";
}, 500);
