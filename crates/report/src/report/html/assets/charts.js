// Draws the charts that the page describes, with uPlot: see chart.rs for the description.
"use strict";
(() => {
  const { charts, shades } = JSON.parse(document.getElementById("charts").textContent);
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const COLOURS = 8;
  // So few places are drawn as points as well: one alone makes no line.
  const FEW = 30;
  const drawn = new Map();
  window.kvsCharts = drawn;

  const digits = (value) => Number(value.toPrecision(3)).toLocaleString("en");
  const scaled = (value, units, base) => {
    let at = 0;
    while (Math.abs(value) >= base * 0.9995 && at + 1 < units.length) { value /= base; at += 1; }
    return digits(value) + units[at];
  };
  const FORMATS = {
    latency: (ns) => scaled(ns, [" ns", " µs", " ms", " s"], 1000),
    rate: (perSecond) => scaled(perSecond, ["/s", "k/s", "M/s"], 1000),
    count: (count) => scaled(count, ["", "k", "M"], 1000),
    bytes: (bytes) => scaled(bytes, [" B", " KiB", " MiB", " GiB"], 1024),
    seconds: (s) => digits(s) + " s",
    // The odds of 1 in so many: 1,000 is the 99.9th percentile.
    odds: (odds) => Number((100 * (1 - 1 / odds)).toFixed(7)) + " %",
  };
  const format = (kind) => (value) => (value == null ? "–" : FORMATS[kind](value));

  // Faults behind the curves.
  const shading = { hooks: { drawClear: (u) => {
    const { ctx, bbox } = u;
    ctx.save();
    for (const { from, to, colour } of shades) {
      const left = Math.max(u.valToPos(from, "x", true), bbox.left);
      const right = Math.min(u.valToPos(to, "x", true), bbox.left + bbox.width);
      if (right < left) continue;
      ctx.globalAlpha = 0.55;
      ctx.fillStyle = colour;
      ctx.fillRect(left, bbox.top, Math.max(right - left, 1), bbox.height);
    }
    ctx.restore();
  } } };

  // What a logarithmic axis names: every step of a decade where it shows hardly one, 1, 2 and 5 where
  // it shows a few, and powers of ten beyond that.
  const named = (u, splits, at) => {
    const { min, max } = u.scales[at === 0 ? "x" : "y"];
    const decades = Math.log10(max / min);
    const wanted = decades < 1.2 ? [1, 2, 3, 4, 5, 6, 8] : decades < 3.2 ? [1, 2, 5] : [1];
    return splits.map((v) => (v != null && wanted.includes(Number((v / 10 ** Math.floor(Math.log10(v) + 1e-9)).toPrecision(3))) ? v : null));
  };
  // Runs are whole.
  const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10000, 100000];
  // The runs of a comparison: A is one colour, B the other, and further curves of each differ by their dashes.
  const DASHES = [undefined, [8, 4], [2, 3], [10, 3, 2, 3]];
  const sides = (series) => series.length > 1 && series.every((one) => /^[AB]( |$)/.test(one.name));
  const stroke = (series, at) => {
    if (!sides(series)) return { stroke: style(`--c${at % COLOURS}`), dash: at >= COLOURS ? [6, 4] : undefined };
    const side = series[at].name[0];
    const before = series.slice(0, at).filter((one) => one.name[0] === side).length;
    return { stroke: style(side === "A" ? "--c0" : "--c1"), dash: DASHES[before % DASHES.length] };
  };

  const axis = (kind, more) => ({ stroke: style("--faint"), grid: { stroke: style("--line"), width: 1 },
    ticks: { stroke: style("--line") }, values: (_, values) => values.map((v) => (v == null ? "" : FORMATS[kind](v))), ...more });

  const draw = (chart, place, variant) => {
    const old = drawn.get(chart.id);
    const range = old && old.scales.x.min != null ? { min: old.scales.x.min, max: old.scales.x.max } : null;
    if (old) old.destroy();
    const { y, log, series } = chart.variants[variant];
    const isOdds = chart.x === "odds";
    const options = {
      width: place.clientWidth, height: Math.max(260, Math.min(380, window.innerHeight * 0.5)),
      plugins: chart.shaded ? [shading] : [],
      cursor: { drag: { x: true, y: false }, sync: chart.sync ? { key: chart.sync, setSeries: false } : undefined },
      scales: { x: { time: false, distr: isOdds || chart.x_log ? 3 : 1 }, y: { distr: log ? 3 : 1, range: log ? undefined : (_, lo, hi) => [Math.min(0, lo), hi > 0 ? hi * 1.05 : 1] } },
      // Room for the last label, which stands under the end of the axis.
      padding: [null, 36, null, null],
      axes: [axis(chart.x, { size: 44, ...(chart.x === "count" ? { incrs: WHOLE } : {}), ...(chart.x_log && !isOdds ? { filter: named } : {}) }),
        axis(y, { size: 78, ...(log ? { filter: named } : {}) })],
      series: [{ label: chart.x_label, value: (_, v) => format(chart.x)(v) }].concat(series.map((one, at) => ({
        label: one.name, width: 1.5, ...stroke(series, at),
        points: { show: chart.points || chart.xs.length < FEW ? true : undefined, size: 5 }, spanGaps: isOdds || chart.points, value: (_, v) => format(y)(v) }))),
    };
    const u = new uPlot(options, [chart.variants[variant].xs || chart.xs].concat(series.map((one) => one.values)), place);
    if (range) u.setScale("x", range);
    drawn.set(chart.id, u);
  };

  const zoom = (chart, factor) => {
    const group = charts.filter((other) => other.id === chart.id || (chart.sync && other.sync === chart.sync));
    for (const { id } of group) {
      const u = drawn.get(id);
      const xs = u.data[0];
      // A lone point has room around it: between itself and itself there is none.
      const [first, last] = xs.length > 1 ? [xs[0], xs[xs.length - 1]] : [-Infinity, Infinity];
      if (factor === 0) { u.setData(u.data); continue; }
      const log = u.scales.x.distr === 3;
      const [to, from] = log ? [Math.log, Math.exp] : [(v) => v, (v) => v];
      const [min, max] = [to(u.scales.x.min), to(u.scales.x.max)];
      const [middle, half] = [(min + max) / 2, ((max - min) / 2) * factor];
      u.setScale("x", { min: Math.max(first, from(middle - half)), max: Math.min(last, from(middle + half)) });
    }
  };

  const save = (name, type, text) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    URL.revokeObjectURL(link.href);
  };
  const csv = (chart, variant) => {
    const { series, y, xs } = chart.variants[variant];
    const quoted = (text) => `"${text.replaceAll('"', '""')}"`;
    const unit = { latency: "ns", rate: "per s", count: "count", bytes: "B", seconds: "s", odds: "1/(1-percentile)" };
    const head = [`${chart.x_label} (${unit[chart.x]})`].concat(series.map((one) => `${one.name} (${unit[y]})`)).map(quoted);
    const rows = (xs || chart.xs).map((x, at) => [x].concat(series.map((one) => one.values[at] ?? "")).join(","));
    return [head.join(",")].concat(rows).join("\n") + "\n";
  };

  for (const chart of charts) {
    const figure = document.getElementById(chart.id);
    const place = figure.querySelector(".chart");
    const tools = figure.querySelector(".tools");
    let variant = 0;
    if (chart.variants.length > 1) {
      const select = document.createElement("select");
      select.setAttribute("aria-label", `What to show of ${chart.title}`);
      chart.variants.forEach(({ name }, at) => select.add(new Option(name, at)));
      select.onchange = () => { variant = Number(select.value); draw(chart, place, variant); };
      tools.append(select);
    }
    const button = (text, label, act) => {
      const one = document.createElement("button");
      one.textContent = text;
      one.title = label;
      one.setAttribute("aria-label", label);
      one.onclick = act;
      tools.append(one);
    };
    button("−", "Zoom out", () => zoom(chart, 2));
    button("+", "Zoom in", () => zoom(chart, 0.5));
    button("all", "Show all", () => zoom(chart, 0));
    button("CSV", "Save these numbers as CSV", () => save(`${chart.id}.csv`, "text/csv", csv(chart, variant)));
    draw(chart, place, variant);
    const again = () => draw(chart, place, variant);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
    new ResizeObserver(() => {
      const u = drawn.get(chart.id);
      if (place.clientWidth > 0 && u.width !== place.clientWidth) u.setSize({ width: place.clientWidth, height: u.height });
    }).observe(place);
  }

  for (const button of document.querySelectorAll("button[data-save]")) {
    button.onclick = () => save(button.dataset.name, "text/plain", document.getElementById(button.dataset.save).textContent);
  }
})();
