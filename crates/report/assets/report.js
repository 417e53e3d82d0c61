(() => {
"use strict";
const plotly = window.Plotly;
const SVG = ["http", "://www.w3.org/2000/svg"].join("");
const root = document.documentElement;
const coarse = window.matchMedia("(pointer: coarse)").matches;
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const color = (name) => getComputedStyle(root).getPropertyValue("--" + name).trim();

// Plotly reads a little markup in texts and %{...} in templates; the document's strings are plain text.
const plain = (text) => String(text).replace(/[\u0000-\u001f\u007f-\u009f]/g, "\ufffd").replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/%\{/g, "%\u200b{");

const element = (tag, attributes, text) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
};

const DASHES = { "solid": "solid", "dash": "6px,3.5px", "dot": "1.6px,2.8px", "dash-dot": "7px,3px,1.6px,3px", "long-dash": "11px,4px" };
const SYMBOLS = { "circle": "circle", "square": "square", "diamond": "diamond", "triangle-up": "triangle-up",
  "circle-open": "circle-open", "square-open": "square-open", "cross": "x-thin-open", "plus": "cross-thin-open" };
const HATCHES = ["", "/", "\\", "|", "-", "x", "+", "."];

const translucent = (hex, alpha) => {
  const value = parseInt(hex.slice(1), 16);
  return "rgba(" + [(value >> 16) & 255, (value >> 8) & 255, value & 255, alpha].join(",") + ")";
};

// Each series becomes one trace, a band two. `owner` tells which series a trace belongs to.
function traces(data, hidden) {
  const list = [], owner = [];
  const paper = color("paper"), ink = color("ink");
  const unit = (axis) => axis.unit ? " " + plain(axis.unit) : "";
  data.series.forEach((series, index) => {
    const paint = color("s" + series.slot);
    const name = plain(series.name);
    const labels = series.labels ? series.labels.map(plain) : undefined;
    const head = (labels ? "<b>%{text}</b><br>" : "") + name + (name ? "<br>" : "");
    const at = data.x.names.length ? "" : "%{x:.5~g}" + unit(data.x) + ", ";
    const common = { x: series.x, name, visible: !hidden.has(index), showlegend: false };
    const push = (trace) => { list.push(Object.assign({}, common, trace)); owner.push(index); };
    if (series.kind === "band") {
      const edge = { mode: "lines", line: { color: paint, width: 0.8, dash: "2.5px,2px" } };
      push(Object.assign({ y: series.y, hovertemplate: head + "lower edge<br>" + at + "%{y:.5~g}" + unit(data.y) + "<extra></extra>" }, edge));
      push(Object.assign({ y: series.upper, fill: "tonexty", fillcolor: translucent(paint, 0.18),
        hovertemplate: head + "upper edge<br>" + at + "%{y:.5~g}" + unit(data.y) + "<extra></extra>" }, edge));
      return;
    }
    const trace = { y: series.y, text: labels, hovertemplate: head + at + "%{y:.5~g}" + unit(data.y) + "<extra></extra>" };
    if (series.error) {
      trace.error_y = { type: "data", array: series.error, thickness: 1.1, width: 3, color: series.kind === "bars" ? ink : paint };
      trace.hovertemplate = head + at + "%{y:.5~g} ± %{error_y.array:.2~g}" + unit(data.y) + "<extra></extra>";
    }
    if (series.kind === "bars") {
      trace.type = "bar";
      trace.textposition = "none";
      if (!data.grouped && !data.x.log) trace.width = data.bar;
      trace.marker = { color: paint, line: { color: paper, width: 0.6 },
        pattern: { shape: HATCHES[series.slot % 8], fillmode: "overlay", bgcolor: paint, fgcolor: paper, size: 6, solidity: 0.3 } };
    } else {
      const lines = series.kind !== "markers", markers = series.kind === "markers" || series.kind === "line-markers";
      const few = labels && labels.length <= 14;
      trace.mode = [lines && "lines", markers && "markers", few && "text"].filter(Boolean).join("+");
      trace.line = { color: paint, width: 1.8, dash: DASHES[series.dash], shape: series.kind === "step" ? "hv" : "linear" };
      const open = /open|cross|plus/.test(series.marker);
      trace.marker = { color: paint, size: 7.5, symbol: SYMBOLS[series.marker], line: { color: open ? paint : paper, width: open ? 1.5 : 0.7 } };
      trace.textposition = "top right";
      trace.textfont = { size: 10.5, color: ink };
      trace.cliponaxis = !markers;
    }
    push(trace);
  });
  return { list, owner };
}

// On one to three decades 1, 2 and 5 are labelled; elsewhere the library's own choice serves.
const logTicks = (decades) => decades >= 1 && decades <= 3 ? { dtick: "D2", tickmode: "linear" } : { dtick: null, tickmode: "auto" };

function axis(spec, log, name) {
  const ink = color("ink");
  const out = {
    title: { text: plain(spec.title), standoff: 8, font: { size: 12.5 } }, type: log ? "log" : "linear",
    showline: true, linecolor: ink, linewidth: 1, ticks: "outside", ticklen: 4, tickcolor: ink,
    gridcolor: translucent(color("rule"), 0.6), gridwidth: 1, zeroline: false, exponentformat: "power", showexponent: "all",
    minexponent: 4, automargin: true, fixedrange: false, uirevision: name + log,
  };
  if (log) Object.assign(out, logTicks(log === spec.log ? Math.log10(spec.range[1] / spec.range[0]) : 9));
  if (log === spec.log) out.range = log ? spec.range.map(Math.log10) : spec.range.slice();
  else out.autorange = true;
  if (spec.names.length) {
    out.tickvals = spec.names.map((_, i) => i);
    out.ticktext = spec.names.map(plain);
  }
  return out;
}

function layout(data, log, height) {
  const soft = color("soft"), ink = color("ink");
  const label = { showarrow: false, font: { size: 10.5, color: ink }, bgcolor: translucent(color("paper"), 0.75), borderpad: 1 };
  const shapes = [], annotations = [];
  data.spans.forEach(([from, to, text], index) => {
    shapes.push({ type: "rect", xref: "x", yref: "paper", x0: from, x1: to, y0: 0, y1: 1, fillcolor: soft, opacity: 0.1, line: { width: 0 }, layer: "below" });
    const middle = log.x ? (Math.log10(from) + Math.log10(to)) / 2 : (from + to) / 2;
    if (text) annotations.push(Object.assign({ xref: "x", yref: "paper", x: middle, y: 1 - 0.055 * (index % 4), yanchor: "top", text: plain(text) }, label));
  });
  data.lines.forEach(([orientation, at, text], index) => {
    const line = { color: soft, width: 1, dash: "3px,2px" };
    if (orientation === "horizontal") {
      shapes.push({ type: "line", xref: "paper", yref: "y", x0: 0, x1: 1, y0: at, y1: at, line });
      if (text) annotations.push(Object.assign({ xref: "paper", yref: "y", x: 1, xanchor: "right", y: log.y ? Math.log10(at) : at, yanchor: "bottom", text: plain(text) }, label));
    } else if (orientation === "vertical") {
      shapes.push({ type: "line", xref: "x", yref: "paper", x0: at, x1: at, y0: 0, y1: 1, line });
      if (text) annotations.push(Object.assign({ xref: "x", yref: "paper", x: log.x ? Math.log10(at) : at, y: 1 - 0.055 * (index % 4), yanchor: "top", text: plain(text) }, label));
    } else {
      const [a, b] = data.x.range;
      shapes.push({ type: "line", xref: "x", yref: "y", x0: a, y0: a + at, x1: b, y1: b + at, line });
      if (text) annotations.push(Object.assign({ xref: "paper", yref: "paper", x: 1, xanchor: "right", y: 0, yanchor: "bottom", text: plain(text) }, label));
    }
  });
  const out = {
    autosize: true, height, margin: { l: 52, r: 14, t: 8, b: 44, pad: 0 },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: 'system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif', size: 11.5, color: ink },
    hovermode: "closest", dragmode: coarse ? false : "zoom", showlegend: false, bargap: 0.2, barmode: data.grouped ? "group" : "overlay", uirevision: "kept",
    hoverlabel: { bgcolor: color("panel"), bordercolor: soft, font: { color: ink, size: 12 }, align: "left" },
    xaxis: axis(data.x, log.x, "x"), yaxis: axis(data.y, log.y, "y"), shapes, annotations,
  };
  if (data.series.some((series) => series.kind === "bars") && !log.y) Object.assign(out.yaxis, { zeroline: true, zerolinecolor: ink, zerolinewidth: 0.8 });
  if (data.equal && !log.x && !log.y) { out.yaxis.scaleanchor = "x"; out.yaxis.scaleratio = 1; }
  return out;
}

// A sample of the series for the legend's button, drawn as in the static figure.
function swatch(series) {
  const svg = document.createElementNS(SVG, "svg");
  const add = (tag, attributes, style) => {
    const node = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.style.cssText = style;
    svg.append(node);
  };
  svg.setAttribute("width", "26"); svg.setAttribute("height", "12"); svg.setAttribute("aria-hidden", "true");
  const paint = "var(--s" + series.slot + ")";
  if (series.kind === "band") add("rect", { x: 1, y: 1, width: 24, height: 10, "fill-opacity": 0.18, "stroke-dasharray": "2.5 2", "stroke-width": 0.8 }, "fill:" + paint + ";stroke:" + paint);
  if (series.kind === "bars") {
    add("rect", { x: 4, y: 1, width: 16, height: 10 }, "fill:" + paint);
    if (series.slot) add("rect", { x: 4, y: 1, width: 16, height: 10 }, "fill:url(#hatch-page-" + (series.slot % 8) + ")");
  }
  if (/line|step/.test(series.kind)) add("path", { d: "M1 6H25", "stroke-width": 1.8, "stroke-dasharray": series.dash === "solid" ? "none" : DASHES[series.dash].replace(/px/g, "") }, "stroke:" + paint);
  if (/markers/.test(series.kind)) {
    const shapes = { "circle": "M9.8 6a3.2 3.2 0 1 0 6.4 0a3.2 3.2 0 1 0-6.4 0Z", "square": "M10 3h6v6h-6Z", "diamond": "M13 1.9l4.1 4.1l-4.1 4.1l-4.1-4.1Z",
      "triangle-up": "M13 1.8l3.9 6.8h-7.8Z", "cross": "M10 3l6 6m0-6l-6 6", "plus": "M9.1 6h7.8m-3.9-3.9v7.8" };
    const open = /open|cross|plus/.test(series.marker);
    add("path", { d: shapes[series.marker.replace("-open", "")], "stroke-width": 1.5 },
      (open ? "fill:" + (/open/.test(series.marker) ? "var(--paper)" : "none") + ";stroke:" : "stroke:none;fill:") + paint);
  }
  return svg;
}

function toolbar(state) {
  const { data, figure, live } = state;
  const tools = element("div", { "class": "tools", "role": "group", "aria-label": "View of the figure" });
  const button = (text, action, attributes) => {
    const node = element("button", Object.assign({ type: "button" }, attributes), text);
    node.addEventListener("click", () => action(node));
    tools.append(node);
  };
  const zoom = (factor) => {
    const change = {};
    for (const name of ["xaxis", "yaxis"]) {
      const [a, b] = live._fullLayout[name].range;
      const middle = (a + b) / 2, half = (b - a) / 2 * factor;
      change[name + ".range"] = [middle - half, middle + half];
    }
    plotly.relayout(live, change);
  };
  button("Zoom in", () => zoom(0.6));
  button("Zoom out", () => zoom(1 / 0.6));
  button("Reset", () => {
    state.log = { x: data.x.log, y: data.y.log };
    state.hidden.clear();
    for (const node of figure.querySelectorAll(".keys button")) node.setAttribute("aria-pressed", "true");
    for (const node of tools.querySelectorAll("[data-axis]")) node.setAttribute("aria-pressed", String(state.log[node.dataset.axis]));
    state.revision += 1;
    draw(state);
  });
  for (const name of ["x", "y"]) {
    if (data[name].signed || data[name].names.length) continue;
    button("Log " + name, (node) => {
      state.log[name] = !state.log[name];
      node.setAttribute("aria-pressed", String(state.log[name]));
      state.revision += 1;
      draw(state);
    }, { "aria-pressed": String(data[name].log), "data-axis": name });
  }
  return tools;
}

function legend(state) {
  const keys = element("div", { "class": "keys", "role": "group", "aria-label": "Series shown" });
  state.data.series.forEach((series, index) => {
    if (!series.name) return;
    const node = element("button", { type: "button", "aria-pressed": "true" });
    node.append(swatch(series), element("span", {}, series.name));
    node.addEventListener("click", () => {
      if (state.hidden.delete(index)) node.setAttribute("aria-pressed", "true");
      else { state.hidden.add(index); node.setAttribute("aria-pressed", "false"); }
      draw(state);
    });
    keys.append(node);
  });
  return keys;
}

function draw(state) {
  const { list } = traces(state.data, state.hidden);
  const plan = layout(state.data, state.log, Math.round(Math.min(380, Math.max(270, state.live.clientWidth * 0.64))));
  plan.uirevision = plan.xaxis.uirevision = plan.yaxis.uirevision = String(state.revision);
  return plotly.react(state.live, list, plan, { responsive: true, displayModeBar: false, scrollZoom: false, showTips: false, doubleClick: "reset" });
}

function upgrade(figure) {
  const data = JSON.parse(figure.querySelector(".plot-data").textContent);
  for (const series of data.series) if (typeof series.x === "number") series.x = data.series[series.x].x;
  const picture = figure.querySelector(".picture");
  const still = picture.querySelector("svg");
  const words = ["title", "desc"].map((tag) => still.querySelector(tag).textContent);
  const live = element("div", { "class": "live", "role": "img", "aria-label": words.join(". ") });
  const state = { data, figure, live, hidden: new Set(), log: { x: data.x.log, y: data.y.log }, revision: 0 };
  picture.append(legend(state), live, toolbar(state));
  figure.classList.add("drawn");
  return draw(state).then(() => {
    figure.dataset.drawn = "yes";
    live.on("plotly_relayout", () => {
      const change = {};
      for (const name of ["x", "y"]) {
        const now = live._fullLayout[name + "axis"];
        const fitting = logTicks(Math.abs(now.range[1] - now.range[0]));
        if (state.log[name] && fitting.tickmode !== now.tickmode) for (const key in fitting) change[name + "axis." + key] = fitting[key];
      }
      if (Object.keys(change).length) plotly.relayout(live, change);
    });
    return state;
  }).catch((error) => {
    figure.classList.remove("drawn");
    throw error;
  });
}

function sortable(table) {
  const body = table.tBodies[0];
  const original = Array.from(body.rows);
  const value = (row, column) => row.cells[column].textContent.trim();
  const number = (text) => parseFloat(text.replace(/\u2212/g, "-").replace(/\(.*?\)/, "").replace(/[\s\u00a0]*×[\s\u00a0]*10/, "e").replace(/[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]/g, (c) => "0123456789-"["⁰¹²³⁴⁵⁶⁷⁸⁹⁻".indexOf(c)]));
  Array.from(table.tHead.rows[0].cells).forEach((head, column) => {
    const button = element("button", { type: "button" }, head.textContent);
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const next = { ascending: "descending", descending: "none" }[head.getAttribute("aria-sort")] || "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      let rows = original.slice();
      if (next !== "none") {
        head.setAttribute("aria-sort", next);
        const numeric = head.classList.contains("n");
        const compare = (a, b) => {
          const [s, t] = [value(a, column), value(b, column)];
          const [u, v] = numeric ? [number(s), number(t)] : [NaN, NaN];
          if (numeric && (isNaN(u) !== isNaN(v))) return isNaN(u) ? 1 : -1;
          return !isNaN(u) ? u - v : s.localeCompare(t, "en", { numeric: true });
        };
        rows.sort((a, b) => next === "ascending" ? compare(a, b) : compare(b, a));
      }
      body.append(...rows);
    });
  });
  const box = element("div", { "class": "filter" });
  const input = element("input", { type: "search", id: "filter-" + (table.className || "table"), placeholder: "quantity, source, rung …", autocomplete: "off" });
  const label = element("label", { "for": input.id }, "Filter");
  const count = element("span", { "class": "soft", "role": "status" });
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of original) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      if (!row.hidden) shown += 1;
    }
    count.textContent = words.length ? shown + " of " + original.length + " rows" : "";
  });
  box.append(label, input, count);
  table.closest(".scroll").before(box);
}

document.querySelectorAll("table[data-sortable]").forEach(sortable);
const figures = Array.from(document.querySelectorAll("figure[data-plot]"));
root.dataset.plots = String(figures.length);
root.dataset.drawn = "0";
const states = [];
// One figure per turn: the page answers while they are drawn.
const next = () => {
  const figure = figures.shift();
  if (!figure) return;
  const go = () => setTimeout(next, 0);
  upgrade(figure).then((state) => { states.push(state); root.dataset.drawn = String(states.length); go(); }, (error) => { console.error(error); go(); });
};
if (plotly) next();
dark.addEventListener("change", () => states.forEach(draw));
window.addEventListener("afterprint", () => states.forEach((state) => plotly.Plots.resize(state.live)));
})();
