/* The explorer. Python holds the state: what is clicked or typed goes there as a message, and what to show comes back as
   `lists`, `note` and `found`. Everything from a note becomes text nodes. */

const STATUSES = { present: "●", historical: "■", uncertain: "◆", implied: "▲", absent: "✕", family: "★" };
const SIGNS = { for: "+", against: "−", context: "~" };
const SPEAKS = { for: "speaks for it", against: "speaks against it", context: "gives it context" };
const WAYS = { words: "Words", meaning: "Meaning" };
const HINTS = {
  words: "all words, in any order; \"a phrase\" in quotes",
  meaning: "what it is about, also in other words",
};
const PAUSE = 300; // ms after a key before what was typed is looked for
const STEPS = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, Home: -Infinity, End: Infinity };

/* Make an element; strings among the children become text. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== null && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

const words = (name) => name.replaceAll("_", " ");
const plural = (count, name) => `${count.toLocaleString("en")} ${name}${count === 1 ? "" : "s"}`;
const chip = (status, name) => make("span", { class: `status ${status}`, "data-symbol": STATUSES[status] ?? "○" }, name);
const sign = (polarity) => make("b", { class: polarity, "aria-hidden": "true" }, SIGNS[polarity]);

/* Run something a while after it was last asked for. */
function later(run) {
  let timer = null;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(run, PAUSE);
  };
}

/* Build the elements that stay; the functions below fill them. */
function build(ask) {
  const list = (label) => make("ul", { role: "listbox", "aria-label": label });
  const finder = (kind) => {
    const field = make("input", { type: "search", placeholder: `Find a ${kind}`, "aria-label": `Find a ${kind}`, "data-find": kind });
    field.addEventListener("input", later(() => ask("find", kind, field.value)));
    return field;
  };
  const tab = (name, label) => make("button", { type: "button", role: "tab", "data-tab": name }, label);
  const parts = {
    query: make("input", { type: "search", class: "query", "aria-label": "Search all notes" }),
    ways: make("div", { class: "ways", role: "radiogroup", "aria-label": "Search by" }, ...Object.entries(WAYS).map(([way, name]) => make("button", { type: "button", role: "radio", "data-way": way }, name))),
    message: make("div", { class: "soft message", role: "status" }),
    tabs: make("div", { class: "tabs", role: "tablist" }, tab("browse", "Notes"), tab("results", "Results")),
    patients: list("patients"),
    patientCount: make("div", { class: "soft count" }),
    notes: list("notes of the patient"),
    noteCount: make("div", { class: "soft count" }),
    results: list("results"),
    about: make("div", { class: "about" }),
    flags: make("div", { class: "flags", role: "toolbar", "aria-label": "flags of the note" }),
    filters: make("div", { class: "filters clinnlp-legend" }),
    text: make("div", { class: "text clinnlp-note", tabindex: "0", role: "region", "aria-label": "note" }),
    details: make("div", { class: "details", role: "region", "aria-label": "details", "aria-live": "polite" }),
  };
  parts.browse = make("div", { class: "browse", role: "tabpanel", "aria-label": "patients and notes" }, finder("patient"), parts.patients, parts.patientCount, finder("note"), parts.notes, parts.noteCount);
  parts.found = make("div", { class: "found-list", role: "tabpanel", "aria-label": "results of the search" }, parts.message, parts.results);
  parts.root = make("div", { class: "clinnlp-explorer", role: "group", "aria-label": "Explorer of notes" },
    make("div", { class: "search", role: "search" }, parts.ways, parts.query, make("button", { type: "button", class: "go" }, "Search")),
    parts.filters,
    make("div", { class: "columns" },
      make("div", { class: "side" }, parts.tabs, parts.browse, parts.found),
      make("div", { class: "middle" }, parts.about, parts.text),
      make("div", { class: "aside" }, make("h5", {}, "Flags of the note"), parts.flags, parts.details)));
  return parts;
}

/* Fill a list; the option that had the focus keeps it, and one option can be reached by Tab. */
function fill(box, rows, nothing) {
  const focused = box.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const options = rows.map(({ key, on, choose, children }) => make("li", { role: "option", "data-key": key, "aria-selected": String(on), tabindex: "-1", click: choose }, ...children));
  box.replaceChildren(...(options.length ? options : [make("li", { class: "soft nothing" }, nothing)]));
  const entry = options.find((option) => option.dataset.key === focused) ?? options.find((option) => option.getAttribute("aria-selected") === "true") ?? options[0];
  entry?.setAttribute("tabindex", "0");
  if (focused !== null) entry?.focus({ preventScroll: true });
  const chosen = box.querySelector("[aria-selected=true]");
  if (chosen && (chosen.offsetTop < box.scrollTop || chosen.offsetTop + chosen.offsetHeight > box.scrollTop + box.clientHeight)) box.scrollTop = chosen.offsetTop - box.clientHeight / 3;
}

function showLists(parts, lists, ask) {
  fill(parts.patients, lists.patients.map(({ number, name, notes }) => ({
    key: String(number), on: number === lists.patient, choose: () => ask("choose_patient", number),
    children: [make("span", {}, name), make("span", { class: "soft" }, plural(notes, "note"))],
  })), "No patient.");
  fill(parts.notes, lists.notes.map(({ id, about, entities }) => ({
    key: id, on: id === lists.note, choose: () => ask("open", id),
    children: [make("span", {}, about || id, make("small", { class: "soft" }, [about && id, `${entities} entit${entities === 1 ? "y" : "ies"}`].filter(Boolean).join(" · ")))],
  })), "No note.");
  const count = (shown, all) => (shown < all ? `The first ${shown} of ${all.toLocaleString("en")}: type to find others.` : "");
  parts.patientCount.textContent = count(lists.patients.length, lists.patients_in_all);
  parts.noteCount.textContent = count(lists.notes.length, lists.notes_in_all);
  showFilters(parts, lists.filters, ask);
}

/* The filters explain the colours and lines at the same time. */
function showFilters(parts, filters, ask) {
  const focused = parts.filters.contains(document.activeElement) ? document.activeElement.dataset.filter : null;
  const of = (kind) => filters.filter((filter) => filter.kind === kind);
  const toggle = (kind, value) => ask("filter", kind, of(kind).filter((filter) => filter.on !== (filter.value === value)).map((filter) => filter.value));
  const chips = (kind) => make("div", { class: "chips", role: "toolbar", "aria-label": `show only this ${kind}` },
    make("span", { class: "soft kind" }, kind),
    ...of(kind).map(({ value, count, on }, place) => make("button", { type: "button", class: count || on ? "" : "none", "data-filter": `${kind}:${value}`, "aria-pressed": String(on), tabindex: place ? "-1" : "0", click: () => toggle(kind, value) }, make("mark", { class: kind === "label" ? value : `part ${value}` }, value.toLowerCase()), make("small", { class: "soft" }, String(count)))));
  const sections = make("select", { "aria-label": "show only this section", "data-filter": "section", change: () => ask("filter", "section", sections.value ? [sections.value] : []) },
    make("option", { value: "" }, "all sections"),
    ...of("section").map(({ value, count, on }) => make("option", { value, selected: on && "" }, `${words(value)} (${count})`)));
  parts.filters.replaceChildren(chips("label"), make("div", { class: "row" }, chips("assertion"), sections));
  if (focused) [...parts.filters.querySelectorAll("[data-filter]")].find((element) => element.dataset.filter === focused)?.focus({ preventScroll: true });
}

function showFound(parts, found, open, opened) {
  parts.message.textContent = found.message;
  parts.message.classList.remove("waiting");
  parts.tabs.querySelector("[data-tab=results]").textContent = found.results.length ? `Results (${found.results.length})` : "Results";
  fill(parts.results, found.results.map((result, number) => ({
    key: String(number), on: opened === number, choose: () => open(number, result),
    children: [make("div", {},
      make("div", { class: "of" }, make("strong", {}, result.note), make("small", { class: "soft" }, found.by === "words" ? `${result.score}×` : result.score.toFixed(2))),
      make("small", { class: "soft" }, result.about),
      make("div", { class: "snippet" }, result.before, make("em", {}, result.text), result.after))],
  })), found.query ? "Nothing was found." : "Search all notes above.");
}

function showFlags(parts, note, jump) {
  const statuses = [...new Set(note.flags.map(({ status }) => status))];
  let place = 0;
  const groups = statuses.map((status) => make("div", { class: "chips" }, chip(status, status), ...note.flags.filter((flag) => flag.status === status).map((flag) => make("button", { type: "button", "aria-label": `${flag.name}, ${status}`, title: "to its evidence", tabindex: place++ ? "-1" : "0", click: () => jump(flag) }, flag.name))));
  parts.flags.replaceChildren(...(groups.length ? groups : [make("span", { class: "soft" }, "It has none.")]));
}

/* Show the text; gives the element of each piece that something begins in, or null. */
function showText(parts, note, select) {
  const shown = note.pieces.map((piece) => piece.entities.filter((number) => note.entities[number].shown));
  const last = new Map(shown.flatMap(([inner], place) => (inner === undefined ? [] : [[inner, place]])));
  const begun = new Set();
  const elements = note.pieces.map((piece, place) => {
    const [inner] = shown[place];
    const kinds = [piece.found && "found", piece.header && "header"];
    if (inner === undefined) {
      if (!piece.evidence.length && !kinds.some(Boolean)) return document.createTextNode(piece.text);
      return make("span", { class: kinds.filter(Boolean).join(" ") }, piece.text);
    }
    const { label, assertion, text } = note.entities[inner];
    const attributes = { class: [label, assertion, last.get(inner) > place && "part", ...kinds].filter(Boolean).join(" "), click: () => select(shown[place]) };
    if (!begun.has(inner)) Object.assign(attributes, { role: "button", tabindex: begun.size ? "-1" : "0", "data-entity": String(inner), "aria-label": `${text}: ${label.toLowerCase()}, ${assertion}` });
    begun.add(inner);
    return make("mark", attributes, piece.text);
  });
  parts.text.replaceChildren(...(elements.length ? elements : [make("em", { class: "soft" }, "The note has no text.")]));
  return elements;
}

/* Tell why an entity is what it is, and which flags rest on it. */
function describe(note, { entities, evidence }) {
  const row = (name, value) => (value === null || value === undefined || value === "" ? [] : [make("dt", { class: "soft" }, name), make("dd", {}, value)]);
  const fact = ({ name, status, polarity, rule, copied_from }) => make("li", {}, sign(polarity), make("div", {}, status ? chip(status, name) : name, make("div", { class: "soft" }, [SPEAKS[polarity], copied_from && `copied from ${copied_from}`].filter(Boolean).join("; ")), make("div", { class: "soft" }, "rule ", ...rule.split(/(?<=[._:])/).flatMap((part) => [part, make("wbr")]))));
  const block = (entity) => make("section", {},
    make("h4", {}, entity.text),
    make("p", { class: "clinnlp-legend" }, make("mark", { class: entity.label }, entity.label.toLowerCase()), " ", make("mark", { class: `part ${entity.assertion}` }, entity.assertion)),
    make("dl", {}, ...row("cue", entity.cue), ...row("section", entity.section && words(entity.section)), ...row("source", entity.source), ...row("score", entity.score?.toFixed(2)), ...row("code", entity.code && [entity.code_system, entity.code].filter(Boolean).join(" ")), ...row("code name", entity.code_name)),
    make("h5", {}, "Evidence"),
    entity.evidence.length ? make("ul", { class: "facts" }, ...entity.evidence.map((number) => fact(note.evidence[number]))) : make("p", { class: "soft" }, "No flag rests on it."));
  const alone = (found) => make("section", {}, make("h4", {}, found.text), make("dl", {}, ...row("assertion", found.assertion), ...row("section", found.section && words(found.section))), make("h5", {}, "Evidence"), make("ul", { class: "facts" }, fact(found)));
  if (entities.length) return entities.map((number) => block(note.entities[number]));
  if (evidence !== undefined) return [alone(note.evidence[evidence])];
  return [make("p", { class: "soft" }, "Choose an entity in the note, by click or by arrow keys and Enter, to see why it is what it is. A flag leads to its evidence.")];
}

/* Run something once the box has its place on the page, which it has not yet when the cell runs. */
function whenShown(box, run) {
  new ResizeObserver((_, observer) => {
    if (box.clientHeight === 0) return;
    observer.disconnect();
    run();
  }).observe(box);
}

/* Scroll the box of the note, not the notebook around it. */
function scrollTo(box, element) {
  const top = element.offsetTop - box.scrollTop;
  if (top < 0 || top + element.offsetHeight > box.clientHeight) box.scrollTop = element.offsetTop - box.clientHeight / 3;
}

function render({ model, el }) {
  let way = model.get("found").by;
  let asked = ""; // the last search
  let opened = null; // the result that is open
  let current = null; // the opening of the note that is shown
  let selected = {}; // numbers of entities and of evidence
  let elements = [];
  const next = new Map(); // which evidence of a flag comes next

  const ask = (action, ...values) => {
    if (action === "open" || action === "choose_patient") opened = null;
    model.send({ do: action, with: values });
  };
  const openResult = (number, { note, place }) => {
    ask("open", note, ...place);
    opened = number;
  };
  const search = () => {
    const query = parts.query.value;
    showTab(query.trim() ? "results" : "browse");
    if (asked === `${way}:${query}`) return;
    asked = `${way}:${query}`;
    parts.message.textContent = way === "meaning" ? "Searching … The first search by meaning reads all sentences." : "Searching …";
    parts.message.classList.add("waiting"); // which shows it only after a while
    opened = null;
    ask("search", query, way);
  };

  function choose(entities, evidence) {
    const note = model.get("note");
    selected = { entities, evidence };
    note.pieces.forEach((piece, place) => {
      const on = evidence === undefined ? piece.entities.includes(entities[0]) : piece.evidence.includes(evidence);
      elements[place].classList?.toggle("target", on);
    });
    parts.details.replaceChildren(...describe(note, selected));
    parts.details.scrollTop = 0;
    const target = parts.text.querySelector(".target");
    if (target) scrollTo(parts.text, target);
  }

  function jump(flag) {
    const note = model.get("note");
    const place = next.get(flag.condition) ?? 0;
    next.set(flag.condition, (place + 1) % flag.evidence.length);
    const number = flag.evidence[place];
    choose(note.entities.flatMap((entity, i) => (entity.evidence.includes(number) && entity.shown ? [i] : [])), number);
    parts.details.prepend(make("p", { class: "soft" }, `${flag.name}: ${flag.evidence.length > 1 ? `evidence ${place + 1} of ${flag.evidence.length}; click again for the next` : "its only evidence"}`));
  }

  function showNote() {
    const note = model.get("note");
    const top = parts.text.scrollTop;
    const focused = parts.text.contains(document.activeElement) ? document.activeElement.dataset.entity : null;
    const isNew = note.opened !== current;
    current = note.opened;
    parts.about.replaceChildren(make("strong", {}, note.id), ...note.about.filter(Boolean).map((part) => make("span", { class: "soft" }, ` · ${part}`)));
    showFlags(parts, note, jump);
    elements = showText(parts, note, (entities) => choose(entities));
    if (!isNew) {
      parts.text.scrollTop = top;
      if (focused) parts.text.querySelector(`[data-entity="${focused}"]`)?.focus({ preventScroll: true });
      return;
    }
    next.clear();
    parts.details.replaceChildren(...describe(note, { entities: [] }));
    parts.text.scrollTop = 0;
    const place = parts.text.querySelector(".found");
    if (place) whenShown(parts.text, () => scrollTo(parts.text, place));
  }

  function showWay() {
    for (const button of parts.ways.children) {
      button.setAttribute("aria-checked", String(button.dataset.way === way));
      button.setAttribute("tabindex", button.dataset.way === way ? "0" : "-1");
    }
    parts.query.placeholder = `Search all notes: ${HINTS[way]}`;
  }

  function showTab(name) {
    for (const button of parts.tabs.children) {
      button.setAttribute("aria-selected", String(button.dataset.tab === name));
      button.setAttribute("tabindex", button.dataset.tab === name ? "0" : "-1");
    }
    parts.browse.hidden = name !== "browse";
    parts.found.hidden = name !== "results";
  }

  const showAllLists = () => showLists(parts, model.get("lists"), ask);
  const showResults = () => {
    showFound(parts, model.get("found"), openResult, opened);
    if (model.get("found").query) showTab("results");
  };
  const markOpened = () => [...parts.results.children].forEach((option) => option.setAttribute("aria-selected", String(option.dataset.key === String(opened))));
  const showAllNote = () => {
    showNote();
    markOpened();
  };

  /* Move the focus among the elements of a group: options of a list, chips, marks, tabs. */
  function step(group, from, by) {
    const place = group.indexOf(from);
    const to = group[Math.min(Math.max(place + by, 0), group.length - 1)];
    group.forEach((element) => element.setAttribute("tabindex", element === to ? "0" : "-1"));
    to.focus();
    if (to.closest(".text")) scrollTo(parts.text, to);
    if (to.closest(".ways, .tabs")) to.click();
  }

  /* JupyterLab hears of a key on the document, before the elements do or after, and d d would delete the cell. So this
     listens on the window, earlier still, and keeps every plain key that is pressed inside the widget. */
  function onKey(event) {
    const leaves = event.ctrlKey || event.metaKey || event.altKey || event.key === "Tab" || event.key === "Escape" || (event.key === "Enter" && event.shiftKey);
    if (leaves || !event.composedPath().includes(parts.root)) return;
    event.stopImmediatePropagation();
    const target = event.composedPath()[0];
    if (target.tagName === "INPUT") {
      if (event.key === "Enter" && target === parts.query) search();
      if (event.key === "ArrowDown") {
        event.preventDefault();
        const box = target === parts.query ? parts.results : target.nextElementSibling;
        box.querySelector("[role=option][tabindex='0']")?.focus();
      }
      return;
    }
    const box = target.closest("[role=listbox], [role=toolbar], [role=radiogroup], [role=tablist], .text");
    if (event.key in STEPS && box && target !== box) {
      event.preventDefault();
      step([...box.querySelectorAll("[tabindex]")], target, STEPS[event.key]);
    } else if ((event.key === "Enter" || event.key === " ") && target.matches("li, mark")) {
      event.preventDefault();
      target.click();
    }
  }

  const parts = build(ask);
  parts.query.value = model.get("found").query;
  parts.ways.addEventListener("click", ({ target }) => {
    if (!target.dataset.way || target.dataset.way === way) return;
    way = target.dataset.way;
    showWay();
    if (parts.query.value.trim()) search();
    parts.query.focus();
  });
  parts.tabs.addEventListener("click", ({ target }) => target.dataset.tab && showTab(target.dataset.tab));
  parts.root.querySelector(".go").addEventListener("click", search);
  parts.query.addEventListener("input", later(() => (way === "words" || !parts.query.value) && search()));
  el.append(parts.root);
  model.on("change:lists", showAllLists);
  model.on("change:note", showAllNote);
  model.on("change:found", showResults);
  window.addEventListener("keydown", onKey, true);
  showWay();
  showTab("browse");
  showAllLists();
  showNote();
  showResults();
  return () => {
    window.removeEventListener("keydown", onKey, true);
    model.off("change:lists", showAllLists);
    model.off("change:note", showAllNote);
    model.off("change:found", showResults);
  };
}

export default { render };
