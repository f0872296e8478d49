"use strict";
(() => {
  const { charts, marks, words } = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement;
  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const places = [...document.querySelectorAll("[data-chart]")];
  let drawn = [];

  const drawMarks = (plot) => {
    const { ctx, bbox } = plot;
    const ratio = window.devicePixelRatio || 1;
    ctx.save();
    ctx.font = `${11 * ratio}px system-ui, sans-serif`;
    ctx.textAlign = "center";
    ctx.textBaseline = "top";
    const seen = marks
      .map((mark) => ({ ...mark, at: Math.round(plot.valToPos(mark.x, "x", true)) }))
      .filter(({ at }) => at >= bbox.left && at <= bbox.left + bbox.width)
      .sort((one, other) => one.at - other.at);
    let free = -Infinity;
    for (const { n, at, stopped } of seen) {
      ctx.strokeStyle = colour(stopped ? "--good" : "--bad");
      ctx.lineWidth = 1.5 * ratio;
      ctx.setLineDash([4 * ratio, 3 * ratio]);
      ctx.beginPath();
      ctx.moveTo(at, bbox.top);
      ctx.lineTo(at, bbox.top + bbox.height);
      ctx.stroke();
      const half = ctx.measureText(n).width / 2 + ratio;
      if (at - half < free) continue; // the table has them all
      free = at + half;
      ctx.fillStyle = ctx.strokeStyle;
      ctx.fillText(String(n), at, bbox.top - 13 * ratio);
    }
    ctx.restore();
  };

  const shown = (value) => (value == null ? "-" : Number(value.toPrecision(6)).toString());

  const draw = () => {
    for (const plot of drawn) plot.destroy();
    drawn = places.map((place) => {
      const { x, y, series, marked } = charts[Number(place.dataset.chart)];
      const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 } };
      const plot = new uPlot({
        width: Math.max(place.clientWidth, 200),
        height: 220,
        padding: [18, 12, 0, 0],
        scales: { x: { time: false } },
        axes: [axis, { ...axis, size: 64, values: (_, ticks) => ticks.map(shown) }],
        series: [
          { label: marked ? words.epoch : words.save, value: (_, value) => shown(value) },
          ...series.map(({ label }, at) => ({
            label,
            stroke: colour(at ? "--b" : "--a"),
            width: 1.5,
            dash: at ? [6, 3] : undefined,
            points: { show: x.length < 60 },
            value: (_, value) => shown(value),
          })),
        ],
        hooks: marked ? { draw: [drawMarks] } : {},
      }, [x, ...y], place);
      return plot;
    });
  };

  const walk = (event) => {
    const plot = drawn[places.indexOf(event.currentTarget)];
    const last = plot.data[0].length - 1;
    const here = plot.cursor.idx ?? -1;
    const far = Math.max(1, Math.round(last / 20));
    const to = { ArrowRight: here + 1, ArrowLeft: here - 1, PageUp: here + far, PageDown: here - far, Home: 0, End: last }[event.key];
    if (event.key === "Escape") plot.setScale("x", { min: plot.data[0][0], max: plot.data[0][last] });
    if (to === undefined) return;
    event.preventDefault();
    const at = Math.min(Math.max(to, 0), last);
    plot.setCursor({ left: plot.valToPos(plot.data[0][at], "x"), top: 20 });
    plot.setLegend({ idx: at });
    plot.cursor.idx = at;
  };

  draw();
  for (const place of places) place.addEventListener("keydown", walk);
  let width = root.clientWidth;
  let waiting = 0;
  window.addEventListener("resize", () => {
    if (root.clientWidth === width) return;
    width = root.clientWidth;
    clearTimeout(waiting);
    waiting = setTimeout(draw, 100);
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  window.addEventListener("beforeprint", () => { root.classList.add("paper"); draw(); });
  window.addEventListener("afterprint", () => { root.classList.remove("paper"); draw(); });
})();
