/* The review widget. Python holds the state: a press goes there as a message, and what to show comes back as `view`.
   Everything from a note becomes text nodes. */

const VERDICTS = [["a", "Agree"], ["d", "Disagree"], ["u", "Unsure"]];
const MOVES = [["ArrowLeft", "Previous", "←"], ["ArrowRight", "Next", "→"], ["z", "Undo"]];
const KEYS = ["a", "d", "u", "z", "Backspace", "ArrowLeft", "ArrowRight"];
const ONCE = ["a", "d", "u", "z", "Backspace"]; // neither held down nor by a double click
const STATUSES = { present: "●", historical: "■", uncertain: "◆", implied: "▲", absent: "✕", family: "★", silent: "○" };
const SIGNS = { for: "+", against: "−", context: "~" };

/* Make an element; strings among the children become text. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const sign = (polarity) => make("b", { title: polarity }, SIGNS[polarity]);

/* Build the elements that stay; the functions below fill them. */
function build(press) {
  const button = ([key, word, label = key]) => make("button", { type: "button", "data-key": key, click: (event) => (event.detail < 2 || !ONCE.includes(key)) && press(key) }, make("kbd", {}, label), ` ${word}`);
  const parts = {
    condition: make("strong"),
    status: make("span", { class: "status" }),
    meaning: make("span", { class: "soft" }),
    progress: make("strong"),
    reviewed: make("span", { class: "soft" }),
    bar: make("progress", { "aria-label": "notes reviewed" }),
    verdicts: make("div", { class: "keys" }, ...VERDICTS.map(button)),
    moves: make("div", { class: "keys" }, ...MOVES.map(button)),
    about: make("div", { class: "about soft" }),
    text: make("div", { class: "text", tabindex: "0", role: "region", "aria-label": "note" }),
    evidence: make("ol"),
    message: make("span", { role: "status" }),
    error: make("div", { class: "error", role: "alert" }),
  };
  const legend = Object.keys(SIGNS).map((name) => make("span", { class: `polarity ${name}` }, sign(name), ` ${name}`));
  parts.root = make("div", { class: "clinnlp-review", tabindex: "0", role: "group", "aria-label": "Review of flags" },
    make("div", { class: "head" }, make("div", { class: "claim" }, parts.condition, parts.status, parts.meaning), make("div", { class: "count" }, parts.progress, parts.reviewed, parts.bar)),
    make("div", { class: "actions" }, parts.verdicts, parts.moves),
    parts.error,
    make("div", { class: "foot soft" }, parts.message, make("span", { class: "hint" }, "Click here once to use the keys.")),
    parts.about,
    make("div", { class: "columns" }, parts.text, make("div", { class: "evidence" }, make("div", { class: "legend" }, make("strong", {}, "Evidence"), ...legend), parts.evidence)));
  return parts;
}

function showState(parts, view) {
  parts.condition.textContent = view.condition;
  parts.status.textContent = view.status;
  parts.status.setAttribute("data-symbol", STATUSES[view.status]);
  parts.status.className = `status ${view.status}`;
  parts.meaning.textContent = view.meaning;
  parts.progress.textContent = `${view.position + 1} of ${view.total}`;
  parts.reviewed.textContent = `${view.reviewed} reviewed`;
  parts.bar.max = view.total;
  parts.bar.value = view.reviewed;
  parts.about.textContent = view.about;
  parts.message.textContent = [view.message, view.former].filter(Boolean).join(" ");
  parts.message.classList.remove("waiting");
  parts.error.textContent = view.error;
  VERDICTS.forEach(([, word], i) => parts.verdicts.children[i].setAttribute("aria-pressed", String(word.toLowerCase() === view.verdict)));
}

function showNote(parts, view) {
  const begun = new Set();
  const pieces = view.pieces.map((piece) => {
    if (piece.evidence === null) return document.createTextNode(piece.text);
    const { polarity, assertion } = view.evidence[piece.evidence];
    const place = [!begun.has(piece.evidence) && "first", piece.part && "part"].filter(Boolean);
    begun.add(piece.evidence);
    const attributes = { class: [polarity, assertion, ...place].join(" "), "data-sign": SIGNS[polarity], title: `${polarity}, ${assertion}` };
    return make("mark", attributes, piece.text);
  });
  const items = view.evidence.map((found) => {
    const words = pieces[view.pieces.findIndex((piece) => piece.start === found.start)];
    const quote = make("button", { type: "button", click: () => scrollTo(parts.text, words) }, found.text);
    const why = [found.assertion, found.section?.replaceAll("_", " "), found.rule].filter(Boolean).join(" · ");
    return make("li", { class: `polarity ${found.polarity}` }, sign(found.polarity), make("div", {}, quote, make("div", { class: "soft" }, why)));
  });
  const nothing = (tag, words) => make(tag, { class: "soft" }, words);
  parts.text.replaceChildren(...(pieces.length ? pieces : [nothing("em", "The note has no text.")]));
  parts.evidence.replaceChildren(...(items.length ? items : [nothing("li", "None was found.")]));
  parts.text.scrollTop = 0;
  const first = parts.text.querySelector("mark");
  if (first) whenShown(parts.text, () => scrollTo(parts.text, first));
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
function scrollTo(box, mark) {
  box.querySelector(".target")?.classList.remove("target");
  mark.classList.add("target");
  box.scrollTop = mark.offsetTop - box.clientHeight / 3;
}

function render({ model, el }) {
  let shown = null;

  function press(key) {
    parts.message.textContent = "Waiting for the kernel …";
    parts.message.classList.add("waiting"); // which shows it only after a while
    model.send({ key, position: model.get("view").position });
  }

  function show() {
    const view = model.get("view");
    showState(parts, view);
    const note = `${view.position} of ${view.total}`;
    if (note !== shown) showNote(parts, view);
    shown = note;
  }

  /* JupyterLab hears of a key on the document, before the elements do or after, and d d would delete the cell. So this
     listens on the window, earlier still, and keeps every plain key that is pressed inside the widget. */
  function onKey(event) {
    const leaves = event.ctrlKey || event.metaKey || event.altKey || event.key === "Tab" || event.key === "Escape" || (event.key === "Enter" && event.shiftKey);
    if (leaves || !event.composedPath().includes(parts.root)) return;
    event.stopImmediatePropagation();
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (!KEYS.includes(key)) return;
    event.preventDefault();
    if (!(event.repeat && ONCE.includes(key))) press(key);
  }

  const parts = build(press);
  el.append(parts.root);
  model.on("change:view", show);
  window.addEventListener("keydown", onKey, true);
  show();
  return () => {
    window.removeEventListener("keydown", onKey, true);
    model.off("change:view", show);
  };
}

export default { render };
