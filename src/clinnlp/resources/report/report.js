"use strict";
/* The report's pages. The address says what is shown: nothing, #patient=ID, or #note=ID&span=START-END.
   Everything from a note becomes text nodes; the one exception is note.html, which is escaped where it is made. */

const $ = (selector) => document.querySelector(selector);
const read = (id) => JSON.parse(document.getElementById(id).textContent);
const overview = read("overview");
const SYMBOLS = { present: "●", historical: "■", uncertain: "◆", implied: "▲", absent: "✕", family: "★" };
let shown = null; // the number of the patient whose page is built

/* Make an element; strings among the children become text. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== null && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

const day = (cell) => (/^\d{4}-\d\d-\d\d$/.test(cell) ? "date" : null);
const cells = (tag, all) => all.map((cell) => make(tag, tag === "th" ? { scope: "col" } : { class: day(cell) }, cell ?? ""));
const row = (all, tag = "td") => make("tr", {}, cells(tag, all));
const table = (head, rows) => [make("thead", {}, row(head, "th")), make("tbody", {}, rows)];
const address = (fields) => "#" + new URLSearchParams(fields);
const toPatient = (id) => address({ patient: id ?? "" });
const toWords = (note, found) => address({ note, span: `${found.start}-${found.end}` });
const named = (id) => id ?? "(no patient id)";
const badge = (status, text = status) => make("span", { class: `badge ${status}`, "data-symbol": SYMBOLS[status], title: status }, text);
const link = (href, text, attributes = {}) => make("a", { href, click: again, ...attributes }, text);

/* Follow a link to the address that is shown already, which the browser would ignore. */
function again(event) {
  if (event.currentTarget.getAttribute("href") === location.hash) route();
}

/* Draw a figure under its title, which wraps better as text of the page. */
function draw(parent, figure) {
  const { title, ...layout } = figure.layout;
  const heading = new DOMParser().parseFromString(title.text, "text/html").body.textContent;
  const box = make("div", { role: "img", "aria-label": heading });
  parent.replaceChildren(make("h2", {}, heading), box);
  layout.margin = { t: 8 };
  layout.height -= 40;
  return Plotly.newPlot(box, figure.data, layout, { responsive: true, displayModeBar: false });
}

/* ---------- the overview ---------- */

function buildHome() {
  $("#counts").append(...Object.entries(overview.counts).map(([name, n]) => make("div", {}, make("dt", {}, name), make("dd", {}, n.toLocaleString("en")))));
  const rows = overview.patients.map((patient) => {
    const flags = patient.flags.map(([condition, status]) => badge(status, condition));
    const line = row([link(toPatient(patient.id), named(patient.id)), String(patient.notes.length), patient.first, patient.last, flags]);
    line.dataset.words = [named(patient.id), ...patient.notes, ...patient.flags.flat()].join("\n").toLowerCase();
    return line;
  });
  $("#patients").append(...table(["Patient", "Notes", "First", "Last", "Conditions"], rows));
  $("#symbols").append(...overview.listed.map((status) => badge(status)));
  $("#search").addEventListener("input", () => search(rows));
  search(rows);
  list("#contradictions", ["Patient", "Condition", "Where", "For", "Against"], overview.contradictions, (found) => {
    const [said, denied] = ["for", "against"].map((side) => {
      const [note, start, end] = ["note_id", "start", "end"].map((name) => found[`${side}_${name}`]);
      return [link(toWords(note, { start, end }), found[`${side}_text`]), make("small", {}, ` ${note}`)];
    });
    return [link(toPatient(found.patient_id), named(found.patient_id)), found.condition, found.kind, said, denied];
  });
  list("#implied", ["Patient", "Condition", "By a", "Words"], overview.implied, (flag) => [
    link(toPatient(flag.patient_id), named(flag.patient_id)), flag.condition, flag.basis,
    [link(toWords(flag.note_id, flag), flag.evidence), make("small", {}, ` ${flag.note_id}`)]]);
  list("#errors", ["Note", "Stage", "Error"], overview.errors, (e) => [e.note_id, e.stage, e.error]);
}

/* Fill a section that is shown only where it has rows. */
function list(section, head, all, toCells) {
  $(section).hidden = all.length === 0;
  $(`${section} table`).append(...table(head, all.map((one) => row(toCells(one)))));
}

function search(rows) {
  const words = $("#search").value.toLowerCase().trim();
  for (const line of rows) line.hidden = !line.dataset.words.includes(words);
  const left = rows.filter((line) => !line.hidden).length;
  $("#matches").textContent = words ? `${left} of ${rows.length} patients` : "";
}

function showHome(message = "") {
  show("#home", "clinnlp report");
  $("#message").textContent = message;
  if ($("#figures").children.length) return;
  const boxes = overview.figures.map(() => make("div", { class: "plot" }));
  $("#figures").append(...boxes); // all boxes stand before a figure measures its own
  boxes.forEach((box, i) => draw(box, overview.figures[i]));
}

/* ---------- a patient's page ---------- */

function showPatient(number) {
  const { id, notes, first, last } = overview.patients[number];
  show("#patient", `Patient ${named(id)}`);
  if (shown === number) return;
  shown = number;
  const page = read(`patient-${number}`);
  const dates = first ? `, ${[...new Set([first, last])].join(" to ")}` : "";
  $("#patient h1").replaceChildren(`Patient ${named(id)} `, make("small", {}, `${notes.length} note${notes.length === 1 ? "" : "s"}${dates}`));
  const near = [[-1, "← Previous"], [1, "Next →"]].filter(([step]) => overview.patients[number + step]);
  $("#trail").replaceChildren(link("#", "Cohort"), ...near.map(([step, word]) => link(toPatient(overview.patients[number + step].id), word)));
  $("#timeline").hidden = !page.timeline;
  if (page.timeline) drawTimeline(page.timeline);
  $("#flags table").replaceChildren(...table(["Condition", "Status", "Dates", "Notes for / against"], page.flags.flatMap(flagRows)));
  $("#list").replaceChildren(...page.notes.map(noteBox));
  const boxes = $("#list").children;
  if (boxes.length === 1) boxes[0].open = true;
  arrive();
}

function drawTimeline(figure) {
  draw($("#timeline"), figure).then((plot) => plot.on("plotly_click", ({ points }) => {
    const [, note, start, end] = points[0].customdata;
    location.hash = toWords(note, { start, end });
  }));
}

/* A condition's row and, under it, the row with its evidence. */
function flagRows(flag, i) {
  const id = `evidence-${i}`;
  const button = make("button", { type: "button", class: "fold", "aria-expanded": "false", "aria-controls": id }, flag.condition);
  const below = make("tr", { id, hidden: "" }, make("td", { colspan: 4 }, ["for", "against", "context"].map((polarity) => evidenceList(flag, polarity))));
  button.addEventListener("click", () => {
    below.hidden = !below.hidden;
    button.setAttribute("aria-expanded", String(!below.hidden));
  });
  const sure = flag.confidence === null ? null : make("small", { title: "How often a reader gives such a flag the same status" }, ` ${Math.round(100 * flag.confidence)} %`);
  const status = [badge(flag.status), sure, make("small", {}, " ", flag.basis.join(", "))];
  const seen = [...new Set([flag.first, flag.last])].filter(Boolean);
  const dates = seen.map((date, n) => [n ? " to " : null, make("span", { class: "date" }, date)]);
  return [row([button, status, dates, `${flag.for} / ${flag.against}`]), below];
}

function evidenceList(flag, polarity) {
  const rows = flag.evidence.filter((found) => found.polarity === polarity);
  if (!rows.length) return null;
  const title = { for: "Evidence for", against: "Evidence against", context: "Context" }[polarity];
  return [make("h3", {}, title), make("ul", { class: "evidence" }, rows.map((found) => make("li", {},
    "… ", found.before, link(toWords(found.note, found), found.text, { class: "quote" }), found.after, " …",
    make("small", {}, [found.assertion, found.section, found.note, found.date, found.rule, found.copied_from && `copied from ${found.copied_from}`].filter(Boolean).join(" · ")))))];
}

/* A note, folded; its body is built when it is first opened. */
function noteBox(note) {
  const title = [note.date ?? "no date", note.type, note.id].filter(Boolean).join(" · ");
  const box = make("details", { class: "note" }, make("summary", {}, title));
  box.dataset.id = note.id;
  box.build = () => {
    if (box.text) return;
    box.text = make("div", { class: "text" });
    box.reset = () => { box.text.innerHTML = note.html; };
    box.reset();
    box.append(...noteTables(note), box.text);
  };
  box.addEventListener("toggle", () => box.open && box.build());
  return box;
}

function noteTables(note) {
  const words = (found, text) => link(toWords(note.id, found), text);
  const lines = note.summaries.map((line) => make("li", {}, make("small", {}, line.kind), " ", words(line, line.text)));
  const medications = note.medications.map((m) => row([words(m, m.text), m.dose, m.route, m.frequency, m.duration, m.status]));
  const measurements = note.measurements.map((m) => row([m.test, words(m, m.value), m.unit, m.interpretation]));
  const fold = (title, body) => make("details", {}, make("summary", {}, title), make("div", { class: "wide" }, make("table", {}, body)));
  return [
    lines.length ? make("ul", { class: "summary" }, lines) : null,
    medications.length ? fold(`Medications (${medications.length})`, table(["Drug", "Dose", "Route", "Frequency", "Duration", "Status"], medications)) : null,
    measurements.length ? fold(`Measurements (${measurements.length})`, table(["Test", "Value", "Unit", "Reading"], measurements)) : null,
  ].filter(Boolean);
}

/* Turn the labels in the legend into switches for their highlighting. */
function buildLegend() {
  for (const sample of $("#legend p").querySelectorAll("mark")) {
    const label = sample.className;
    const box = make("input", { type: "checkbox", checked: "", change: () => $("#list").classList.toggle(`no-${label}`, !box.checked) });
    sample.replaceWith(make("label", {}, box, sample.cloneNode(true)));
  }
}

/* ---------- from a finding to its words ---------- */

function showWords(note, span) {
  const number = overview.patients.findIndex((patient) => patient.notes.includes(note));
  if (number < 0) return showHome(`There is no note ${note} in this report.`);
  showPatient(number);
  const boxes = [...$("#list").children];
  const box = boxes.find((candidate) => candidate.dataset.id === note);
  for (const other of boxes) other.reset?.();
  box.open = true;
  box.build();
  const [start, end] = (span ?? "").split("-").map(Number);
  const target = mark(box.text, start, end) ?? box.firstChild;
  target.focus({ preventScroll: true });
  target.scrollIntoView({ block: "center" });
}

/* Mark characters start to end and return the first marked element. */
function mark(box, start, end) {
  const text = box.textContent;
  const [from, to] = [start, end].map((offset) => codeUnits(text, offset));
  const walker = document.createTreeWalker(box, NodeFilter.SHOW_TEXT);
  const nodes = [];
  for (let at = 0; walker.nextNode(); at += walker.currentNode.length) nodes.push([walker.currentNode, at]);
  let first = null;
  for (const [node, at] of nodes) {
    const a = Math.max(from - at, 0);
    const b = Math.min(to - at, node.length);
    if (!(a < b)) continue;
    const words = node.splitText(a);
    words.splitText(b - a);
    const target = make("span", { class: "target", tabindex: first ? null : "-1" });
    words.replaceWith(target);
    target.append(words);
    first ??= target;
  }
  return first;
}

/* Offsets count characters; JavaScript counts some of them, such as emoji, as two. */
function codeUnits(text, offset) {
  let at = 0;
  for (let i = 0; i < offset && at < text.length; i += 1) at += text.codePointAt(at) > 0xffff ? 2 : 1;
  return at;
}

/* ---------- moving about ---------- */

function arrive() {
  window.scrollTo(0, 0);
  if (location.hash) $("main:not([hidden]) h1").focus({ preventScroll: true });
}

function show(page, title) {
  const changed = $(page).hidden;
  for (const main of document.querySelectorAll("main")) main.hidden = `#${main.id}` !== page;
  document.title = title;
  if (page === "#home") $("#trail").replaceChildren();
  if (changed) arrive();
}

function route() {
  const fields = new URLSearchParams(location.hash.slice(1));
  if (fields.has("note")) return showWords(fields.get("note"), fields.get("span"));
  if (!fields.has("patient")) return showHome();
  const number = overview.patients.findIndex((patient) => (patient.id ?? "") === fields.get("patient"));
  if (number < 0) return showHome(`There is no patient ${fields.get("patient")} in this report.`);
  return showPatient(number);
}

$("#open-all").addEventListener("click", () => { for (const box of $("#list").children) box.open = true; });
buildHome();
buildLegend();
window.addEventListener("hashchange", route);
route();
