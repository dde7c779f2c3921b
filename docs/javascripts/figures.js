/* Draw the figures of a notebook with the plotly.js of this site, which is fetched only where there is one to draw. */
(() => {
  const plotly = new URL("plotly.min.js", document.currentScript.src);
  const draw = (box) => {
    const { data, layout } = JSON.parse(box.querySelector("script").textContent);
    return Plotly.newPlot(box, data, layout, { responsive: true, displaylogo: false, displayModeBar: false });
  };
  document.addEventListener("DOMContentLoaded", () => {
    const boxes = document.querySelectorAll(".nb-figure");
    if (!boxes.length) return;
    const script = Object.assign(document.createElement("script"), { src: plotly });
    script.addEventListener("load", () => boxes.forEach(draw));
    document.head.append(script);
  });
})();
