// Reviewing: the next listings are there before they are needed, and what people say is kept until it is stored.
import { ask, make } from "./rayon.js";

const AHEAD = 8; // listings that are held ready
const RENEW_SECONDS = 120;
const LOOK_AGAIN_SECONDS = 20;
const LONGEST_WAIT_SECONDS = 30;

/** A token that nobody else makes; crypto.randomUUID is missing where a page comes without TLS. */
function newToken() {
  const hex = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** A text with gaps like {n}, in the language of the page; one thing may have a text of its own. */
function say(words, name, gaps = {}) {
  const text = (gaps.n === 1 && words[`${name}One`]) || words[name];
  return text.replace(/\{(\w+)\}/g, (_, gap) => gaps[gap] ?? "");
}

const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

// ------------------------------------------------------------------ what was said, until it is stored

/**
 * Words on predictions, kept in the browser until the server has them, also across reloads and lost connections.
 * One that was sent may have been stored although its answer was lost: it is marked, sent again, and never just dropped.
 */
class Outbox extends EventTarget {
  constructor(user) {
    super();
    this.key = `rayon-outbox-${user}`;
    this.waitSeconds = 1;
    this.state = "connected";
    addEventListener("online", () => this.flush());
    addEventListener("storage", (event) => event.key === this.key && this.changed());
    addEventListener("beforeunload", (event) => this.words.length && this.state !== "connected" && event.preventDefault());
  }

  get words() {
    try {
      return JSON.parse(localStorage.getItem(this.key)) || [];
    } catch {
      return [];
    }
  }

  set words(words) {
    localStorage.setItem(this.key, JSON.stringify(words));
    this.changed();
  }

  changed(detail) {
    this.dispatchEvent(new CustomEvent("change", { detail }));
  }

  add(word) {
    this.words = [...this.words, word];
    this.flush();
  }

  /** Take a word back that has never left; whether that was so. */
  takeBack(token) {
    const found = this.words.some((word) => word.token === token && !word.sent);
    if (found) this.words = this.words.filter((word) => word.token !== token);
    return found;
  }

  async flush() {
    if (this.flushing || !this.words.length) return;
    this.flushing = true;
    clearTimeout(this.timer);
    this.words = this.words.map((word, at) => (at < 50 ? { ...word, sent: true } : word));
    const words = this.words.slice(0, 50).map(({ sent, ...word }) => word);
    try {
      const answer = await ask("/api/v1/review/validations", { method: "POST", json: { words } });
      this.settle("connected", words, answer.outcomes);
    } catch (error) {
      if (error.status === 401 || error.status === 403) this.settle("signed-out");
      else if (error.status >= 400 && error.status < 500 && error.status !== 429 && error.status !== 408) {
        this.settle("connected", words, words.map((word) => ({ prediction_id: word.prediction_id, status: "refused", detail: error.message })));
      } else this.settle("lost");
    }
  }

  /** Take up what came of sending. */
  settle(state, words = [], outcomes = []) {
    this.flushing = false;
    const done = new Set(words.map((word) => word.token));
    if (done.size) this.words = this.words.filter((word) => !done.has(word.token));
    this.turn(state, outcomes);
    if (state === "connected") this.flush();
  }

  /** Note how it stands with the connection, as others have seen it too. */
  turn(state, outcomes = []) {
    this.state = state;
    this.waitSeconds = state === "connected" ? 1 : Math.min(2 * this.waitSeconds, LONGEST_WAIT_SECONDS);
    this.changed({ stored: outcomes });
    clearTimeout(this.timer);
    if (state === "lost") this.timer = setTimeout(() => this.flush(), 1000 * this.waitSeconds);
  }
}

/** Show how it stands with the connection and with what has not been stored. */
function watchOutbox(outbox, root, words) {
  const bar = root.querySelector("[data-part=connection]");
  root.dataset.unsent = outbox.words.length;
  outbox.addEventListener("change", ({ detail }) => {
    const waiting = outbox.words.length;
    root.dataset.unsent = waiting;
    bar.hidden = outbox.state === "connected";
    if (outbox.state === "lost") bar.replaceChildren(say(words, "lost", { n: waiting }));
    if (outbox.state === "signed-out") {
      const here = encodeURIComponent(location.pathname + location.search);
      bar.replaceChildren(say(words, "signedOut", { n: waiting }), " ", make("a", { href: `/sign-in?next=${here}` }, words.signIn));
    }
    const bad = (detail?.stored || []).filter((one) => one.status === "conflict" || one.status === "refused");
    for (const one of bad) {
      const link = make("a", { href: `/predictions/${one.prediction_id}`, target: "_blank" }, words.look);
      root.querySelector("[data-part=problems]").append(make("p", {}, one.detail, " ", link));
      root.querySelector("[data-part=problems]").hidden = false;
    }
  });
}

// ------------------------------------------------------------------ leases

const idsOf = (items) => items.filter(Boolean).map((item) => item.id);

/** Renew the leases of listings; the ids of those that are still held. */
async function renewed(items) {
  const ids = idsOf(items);
  if (!ids.length) return new Set();
  return new Set((await ask("/api/v1/review/leases/renew", { method: "POST", json: { ids } })).ids);
}

/** Give listings back, also while the page is left. */
function release(items) {
  const ids = idsOf(items);
  if (ids.length) ask("/api/v1/review/leases/release", { method: "POST", json: { ids }, keepalive: true }).catch(() => {});
}

// ------------------------------------------------------------------ finding a code

/** How well a code answers a question, 0 where it does not: every word of it has to be found somewhere. */
export function score(entry, question) {
  let total = 0;
  for (const asked of plain(question).split(/\s+/).filter(Boolean)) {
    const best = Math.max(...entry.terms.map((term) => match(term, asked)), follows(entry.plain, asked) ? 1 : 0);
    if (!best) return 0;
    total += best;
  }
  return total;
}

function match(term, asked) {
  if (term === asked) return 6;
  if (term.startsWith(asked)) return 5;
  if (asked.length > 2 && term.includes(asked)) return 3;
  return asked.length > 3 && isNear(term.slice(0, asked.length + 1), asked) ? 2 : 0;
}

/** Whether a word begins like another but for one letter that is wrong, missing, too many, or swapped. */
function isNear(term, asked) {
  let at = 0;
  while (at < asked.length && term[at] === asked[at]) at++;
  const [a, b] = [term.slice(at), asked.slice(at)];
  return a.slice(1).startsWith(b.slice(1)) || a.slice(1).startsWith(b) || a.startsWith(b.slice(1)) || (a[0] === b[1] && a[1] === b[0] && a.slice(2).startsWith(b.slice(2)));
}

/** Whether the letters come one after the other. */
function follows(text, letters) {
  if (letters.length < 3) return false;
  let at = -1;
  for (const letter of letters) if ((at = text.indexOf(letter, at + 1)) < 0) return false;
  return true;
}

/** The window in which one finds a code by label, code or parent. */
class CodeSearch {
  constructor(dialog, codes) {
    this.dialog = dialog;
    this.input = dialog.querySelector("input");
    this.list = dialog.querySelector("[role=listbox]");
    this.entries = codes.map((code) => {
      const text = plain(`${code.label} ${code.parent}`);
      return { ...code, plain: text, terms: [plain(code.code), ...text.split(/[^\p{L}\p{N}]+/u).filter(Boolean)] };
    });
    this.input.addEventListener("input", () => this.find());
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.list.addEventListener("click", (event) => this.choose(event.target.closest("[role=option]")));
    dialog.addEventListener("close", () => dialog.open || this.answer?.(null)); // it may be open again already
  }

  /** Let somebody choose; the answer is a code, or null where they do not. */
  open() {
    this.input.value = "";
    this.find();
    this.dialog.showModal();
    this.input.focus();
    return new Promise((resolve) => (this.answer = resolve));
  }

  find() {
    const asked = this.input.value.trim();
    const found = this.entries
      .map((entry) => ({ entry, score: asked ? score(entry, asked) : 1 }))
      .filter((one) => one.score > 0)
      .sort((a, b) => b.score - a.score || a.entry.label.length - b.entry.label.length)
      .slice(0, asked ? 12 : 200);
    this.list.replaceChildren(...found.map(({ entry }, row) =>
      make("li", { role: "option", id: `code-${row}`, "data-code": entry.code, "aria-selected": row === 0 ? "true" : "false" },
        make("span", {}, entry.label), make("span", { class: "code" }, [entry.code, entry.parent].filter(Boolean).join(" · ")))));
    this.dialog.querySelector("[data-part=none]").hidden = found.length > 0;
    this.point(0);
  }

  point(row) {
    const options = [...this.list.children];
    this.row = Math.max(0, Math.min(row, options.length - 1));
    options.forEach((option, at) => option.setAttribute("aria-selected", String(at === this.row)));
    options[this.row]?.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", options[this.row]?.id || "");
  }

  key(event) {
    if (event.key === "ArrowDown") this.point(this.row + 1);
    else if (event.key === "ArrowUp") this.point(this.row - 1);
    else if (event.key === "Enter") this.choose(this.list.children[this.row]);
    else return;
    event.preventDefault();
  }

  choose(option) {
    if (!option) return;
    this.dialog.close();
    this.answer(option.dataset.code); // at once: the next key may come before the window's closing is told
  }
}

// ------------------------------------------------------------------ one listing at a time

class Review {
  constructor(root) {
    this.root = root;
    this.words = JSON.parse(root.dataset.words);
    this.codes = new Map(JSON.parse(root.dataset.codes).map((code) => [code.code, code]));
    this.part = (name) => root.querySelector(`[data-part=${name}]`);
    this.outbox = new Outbox(root.dataset.user);
    this.search = new CodeSearch(document.getElementById("code-search"), [...this.codes.values()]);
    this.ahead = [];
    this.history = [];
    this.skipped = JSON.parse(sessionStorage.getItem("rayon-skipped") || "[]");
    this.order = new URLSearchParams(location.search).get("order") || "useful";
    this.code = new URLSearchParams(location.search).get("code") || null;
    watchOutbox(this.outbox, root, this.words);
    this.outbox.addEventListener("change", ({ detail }) => detail?.stored.length && this.heard(detail.stored));
    this.outbox.flush();
    addEventListener("keydown", (event) => this.key(event));
    addEventListener("pagehide", () => release([this.current, ...this.ahead]));
    addEventListener("pageshow", (event) => event.persisted && location.reload());
    setInterval(() => this.renew(), 1000 * RENEW_SECONDS);
    setInterval(() => !this.current && !document.hidden && this.fill(), 1000 * LOOK_AGAIN_SECONDS);
    for (const button of root.querySelectorAll("[data-do]")) button.addEventListener("click", () => this.act(button.dataset.do));
    this.part("alternatives").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) this.choose(button.dataset.code);
    });
    this.part("note").addEventListener("input", () => this.current && sessionStorage.setItem(`rayon-note-${this.current.id}`, this.part("note").value));
    this.count();
    this.fill();
  }

  // ---------------- listings

  async fill() {
    if (this.filling || this.ahead.length >= AHEAD / 2) return;
    this.filling = true;
    try {
      const waiting = this.outbox.words.map((word) => word.prediction_id);
      const held = [this.current, ...this.ahead].filter(Boolean).map((item) => item.id);
      const exclude = [...new Set([...held, ...waiting, ...this.skipped.slice(-300)])];
      const json = { count: AHEAD - this.ahead.length, order: this.order, code: this.code, exclude };
      const answer = await ask("/api/v1/review/leases", { method: "POST", json });
      this.ahead.push(...answer.items);
      this.filled = true;
    } catch (error) {
      this.trouble(error);
    } finally {
      this.filling = false;
    }
    if (!this.current && this.ahead.length) this.next();
    else if (!this.current) this.show(null);
    this.prepare();
  }

  /** Fetch pictures and words of the next listings, one after the other: the model answers others as well. */
  async prepare() {
    if (this.preparing) return;
    this.preparing = true;
    for (let item; (item = [this.current, ...this.ahead].find((one) => one && !one.prepared)); ) {
      item.prepared = true;
      if (item.image) new Image().src = `/api/v1${item.image}`;
      try {
        item.details = await ask(`/review/${item.id}/details`);
        if (item === this.current) this.showDetails(item);
      } catch { /* the listing can be judged without */ }
    }
    this.preparing = false;
  }

  next() {
    this.show(this.ahead.shift() || null);
    this.fill();
  }

  show(item) {
    this.current = item;
    this.part("listing").hidden = !item;
    this.part("empty").hidden = Boolean(item) || !this.filled;
    this.part("loading").hidden = Boolean(item) || Boolean(this.filled);
    this.part("skipped").hidden = !this.skipped.length;
    if (!item) return;
    const label = this.label(item.code, item.label);
    this.part("why").textContent = item.queued_for === "audit" ? this.words.audit : this.reason(item);
    this.part("why").className = item.queued_for === "audit" ? "tag good" : "tag quiet";
    this.part("code").textContent = item.code;
    this.part("label").textContent = label;
    this.part("bar").setAttribute("width", (100 * item.confidence).toFixed(1));
    this.part("confidence").textContent = this.percent(item.confidence);
    const image = this.part("image");
    image.hidden = !item.image;
    this.part("no-image").hidden = Boolean(item.image);
    if (item.image) image.src = `/api/v1${item.image}`;
    else image.removeAttribute("src");
    this.part("link").href = `/predictions/${item.id}`;
    this.part("note").value = sessionStorage.getItem(`rayon-note-${item.id}`) || "";
    this.part("note-row").open = Boolean(this.part("note").value);
    this.showDetails(item);
    this.part("description").scrollTop = 0;
    this.part("said").textContent = say(this.words, "said", { title: item.title, label, confidence: this.percent(item.confidence) });
  }

  showDetails(item) {
    this.part("title").replaceChildren(...this.marked(item.details?.title, item.title));
    this.part("description").replaceChildren(...this.marked(item.details?.description, item.text));
    item.choices = [...item.alternatives, ...(item.details?.alternatives || [])]
      .filter((one, at, all) => one.code !== item.code && all.findIndex((other) => other.code === one.code) === at)
      .slice(0, 5);
    this.part("alternatives").replaceChildren(...item.choices.map((one, at) =>
      make("li", {}, make("button", { class: "plain choice", type: "button", "data-code": one.code },
        make("kbd", {}, String(at + 1)), make("span", { class: "name" }, this.label(one.code, one.label), " ", make("span", { class: "code" }, one.code)),
        make("span", { class: "figure quiet" }, this.percent(one.confidence))))));
  }

  /** A text with the words that decided marked; as it came, as long as its pieces are not there. */
  marked(pieces, text) {
    if (!pieces) return [text];
    return pieces.map((one) => (one.side ? make("mark", { class: `${one.side} s${one.strength}`, title: this.words[one.side] }, one.text) : one.text));
  }

  label(code, stored) {
    return this.codes.get(code)?.label || stored || code;
  }

  percent(share) {
    const digits = share >= 0.995 || share < 0.005 ? 1 : 0;
    return new Intl.NumberFormat(document.documentElement.lang, { style: "percent", maximumFractionDigits: digits }).format(share);
  }

  reason(item) {
    return this.words.reasons[item.reason] || this.words.unsure;
  }

  // ---------------- what people do

  act(what) {
    const actions = {
      accept: () => this.current && this.choose(this.current.code),
      search: () => this.find(),
      skip: () => this.skip(),
      undo: () => this.undo(),
      help: () => document.getElementById("keys").showModal(),
      zoom: () => this.zoom(),
      note: () => this.openNote(),
      again: () => this.lookAgain(),
    };
    actions[what]?.();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.target.closest("input, textarea, select")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const onControl = event.target.closest("button, a, summary");
    if (event.repeat && (event.key === "Enter" || event.key === " ")) event.preventDefault(); // nor presses a button
    if ((event.key === "Enter" && onControl) || event.repeat) return; // a key that is held down decides nothing more
    const keys = { Enter: "accept", "/": "search", s: "skip", u: "undo", "?": "help", z: "zoom", n: "note" };
    const what = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    const chosen = /^[1-5]$/.test(event.key) ? this.current?.choices[Number(event.key) - 1] : null;
    if (chosen) this.choose(chosen.code);
    else if (what) this.act(what);
    else return;
    event.preventDefault();
  }

  choose(code) {
    const item = this.current;
    if (!item) return;
    const began = performance.now();
    const verdict = code === item.code ? "right" : "wrong";
    const word = { token: newToken(), prediction_id: item.id, verdict, comment: this.part("note").value.trim() };
    if (verdict === "wrong") word.code = code;
    this.history.push({ item, token: word.token, note: this.part("note").value });
    this.outbox.add(word); // before more is fetched, which leaves out what was said
    this.next();
    measure(began);
    sessionStorage.removeItem(`rayon-note-${item.id}`);
    this.tell(verdict === "right" ? this.words.saidRight : say(this.words, "saidWrong", { label: this.label(code) }));
  }

  skip() {
    const item = this.current;
    if (!item) return;
    this.history.push({ item, skipped: true });
    this.remember([...this.skipped, item.id]);
    release([item]);
    this.next();
    this.tell(this.words.saidSkipped);
  }

  undo() {
    const last = this.history.pop();
    if (!last) return this.tell(this.words.nothingToUndo);
    if (last.skipped) this.remember(this.skipped.filter((id) => id !== last.item.id));
    else if (!this.outbox.takeBack(last.token)) {
      this.outbox.add({ token: newToken(), prediction_id: last.item.id, verdict: "undone", comment: "" });
    }
    if (this.current) this.ahead.unshift(this.current);
    if (last.note) sessionStorage.setItem(`rayon-note-${last.item.id}`, last.note);
    this.show(last.item);
    this.tell(this.words.saidUndone);
    if (last.skipped) this.renew();
  }

  async find() {
    if (!this.current) return;
    const item = this.current;
    const code = await this.search.open();
    if (code && item === this.current) this.choose(code);
  }

  zoom() {
    if (!this.current?.image) return;
    const dialog = document.getElementById("zoom");
    dialog.querySelector("img").src = `/api/v1${this.current.image}`;
    dialog.showModal();
  }

  openNote() {
    this.part("note-row").open = true;
    this.part("note").focus();
  }

  lookAgain() {
    this.remember([]);
    this.fill();
  }

  remember(skipped) {
    this.skipped = skipped;
    sessionStorage.setItem("rayon-skipped", JSON.stringify(skipped.slice(-300)));
  }

  tell(text) {
    this.part("told").textContent = text;
  }

  // ---------------- leases and progress

  async renew() {
    if (document.hidden) return;
    try {
      const held = await renewed([this.current, ...this.ahead]);
      const unsent = new Set(this.outbox.words.map((word) => word.prediction_id)); // taken back, and held again later
      this.ahead = this.ahead.filter((item) => held.has(item.id) || unsent.has(item.id));
      this.fill();
    } catch (error) {
      this.trouble(error);
    }
  }

  /** The server has stored some words; what was taken back waits again, and is held again. */
  heard(outcomes) {
    this.count();
    if (outcomes.some((one) => one.validation?.verdict === "undone")) this.renew();
  }

  trouble(error) {
    if (error.status === 401 || error.status === 403) this.outbox.turn("signed-out");
    else if (this.outbox.state === "connected") this.outbox.turn("lost");
    clearTimeout(this.later);
    this.later = setTimeout(() => this.fill(), 5000);
  }

  async count() {
    const midnight = new Date();
    midnight.setHours(0, 0, 0, 0);
    try {
      const found = await ask(`/api/v1/review/progress?since=${midnight.toISOString()}`);
      if (this.outbox.state === "lost" && !this.outbox.words.length) this.outbox.turn("connected");
      const number = new Intl.NumberFormat(document.documentElement.lang);
      for (const name of ["waiting", "waiting_audit", "mine_today", "team_today"]) {
        for (const place of this.root.querySelectorAll(`[data-count=${name}]`)) place.textContent = number.format(found[name]);
      }
    } catch { /* the figures stay as they are */ }
  }
}

/** How long it took until the next listing was on the screen, for whoever measures. */
function measure(began) {
  requestAnimationFrame(() => setTimeout(() => performance.measure("rayon-next-listing", { start: began })));
}

// ------------------------------------------------------------------ many at once

class Bulk {
  constructor(root) {
    this.root = root;
    this.words = JSON.parse(root.dataset.words);
    this.codes = new Map(JSON.parse(root.dataset.codes).map((code) => [code.code, code]));
    this.part = (name) => root.querySelector(`[data-part=${name}]`);
    this.outbox = new Outbox(root.dataset.user);
    this.search = new CodeSearch(document.getElementById("code-search"), [...this.codes.values()]);
    this.items = [];
    this.seen = [];
    watchOutbox(this.outbox, root, this.words);
    this.outbox.flush();
    addEventListener("keydown", (event) => this.key(event));
    addEventListener("pagehide", () => release(this.items));
    addEventListener("pageshow", (event) => event.persisted && location.reload());
    setInterval(() => document.hidden || renewed(this.items).catch(() => {}), 1000 * RENEW_SECONDS);
    for (const button of root.querySelectorAll("[data-do]")) button.addEventListener("click", () => this.act(button.dataset.do));
    this.part("grid").addEventListener("change", () => this.count());
    this.load();
  }

  async load() {
    const waiting = this.outbox.words.map((word) => word.prediction_id);
    const query = new URLSearchParams(location.search);
    const json = { id: query.get("id"), code: query.get("code"), exclude: [...new Set([...waiting, ...this.seen.slice(-300)])] };
    if (this.seen.length) json.id = null;
    try {
      this.show((await ask("/api/v1/review/similar", { method: "POST", json })).items);
    } catch (error) {
      this.outbox.turn(error.status === 401 || error.status === 403 ? "signed-out" : "lost");
      clearTimeout(this.later);
      this.later = setTimeout(() => this.load(), 5000);
    }
  }

  show(items) {
    this.items = items;
    this.seen.push(...items.map((item) => item.id));
    this.part("loading").hidden = true;
    this.part("empty").hidden = items.length > 0;
    this.part("group").hidden = !items.length;
    if (!items.length) return;
    const label = this.codes.get(items[0].code)?.label || items[0].label;
    this.part("label").textContent = label;
    this.part("code").textContent = items[0].code;
    this.part("grid").replaceChildren(...items.map((item) =>
      make("li", {}, make("label", { class: "tile" },
        make("input", { type: "checkbox", checked: true, value: item.id }),
        item.image ? make("img", { src: `/api/v1${item.image}`, alt: "", loading: "lazy" }) : make("span", { class: "blank" }, this.words.noImage),
        make("span", { class: "name" }, item.title || this.words.noTitle)))));
    this.count();
    this.part("grid").querySelector("input").focus();
  }

  get chosen() {
    const ids = new Set([...this.part("grid").querySelectorAll("input:checked")].map((box) => box.value));
    return this.items.filter((item) => ids.has(item.id));
  }

  count() {
    const n = this.chosen.length;
    this.part("accept").textContent = say(this.words, "confirm", { n });
    this.part("correct").textContent = say(this.words, "correct", { n });
    this.part("accept").disabled = this.part("correct").disabled = !n;
  }

  async act(what) {
    if (what === "accept") this.say(null);
    else if (what === "search") {
      const items = this.items;
      if (!items.length) return;
      const code = await this.search.open();
      if (code && items === this.items) this.say(code === items[0].code ? null : code);
    } else if (what === "skip") this.leave();
    else if (what === "all" || what === "none") {
      for (const box of this.part("grid").querySelectorAll("input")) box.checked = what === "all";
      this.count();
    } else if (what === "undo") this.undo();
  }

  say(code) {
    const chosen = this.chosen;
    if (!chosen.length) return;
    const words = chosen.map((item) => ({ token: newToken(), prediction_id: item.id, verdict: code ? "wrong" : "right", comment: "", ...(code && { code }) }));
    this.last = words;
    this.outbox.words = [...this.outbox.words, ...words];
    this.outbox.flush();
    this.part("told").textContent = say(this.words, code ? "saidCorrected" : "saidConfirmed", { n: words.length, label: code ? this.codes.get(code).label : "" });
    const said = new Set(chosen);
    this.leave(this.items.filter((item) => !said.has(item)));
  }

  undo() {
    for (const word of this.last || []) {
      if (!this.outbox.takeBack(word.token)) {
        this.outbox.words = [...this.outbox.words, { token: newToken(), prediction_id: word.prediction_id, verdict: "undone", comment: "" }];
      }
    }
    this.outbox.flush();
    this.part("told").textContent = this.last ? this.words.saidUndone : this.words.nothingToUndo;
    this.last = null;
  }

  leave(items = this.items) {
    release(items);
    this.items = [];
    this.load();
  }


  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.repeat && (event.key === "Enter" || event.key === " ")) event.preventDefault();
    if (event.repeat) return;
    const box = event.target.closest("[data-part=grid] input");
    if (event.target.closest("button, a, select") || (event.target.closest("input") && !box)) return;
    const boxes = [...this.part("grid").querySelectorAll("input")];
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns(), ArrowUp: -this.columns() }[event.key];
    const what = { Enter: "accept", "/": "search", s: "skip", u: "undo", a: "all", d: "none" }[event.key];
    if (step) boxes[Math.max(0, Math.min(boxes.length - 1, boxes.indexOf(box) + step))]?.focus();
    else if (what) this.act(what);
    else return;
    event.preventDefault();
  }

  columns() {
    const tiles = [...this.part("grid").children];
    return Math.max(1, tiles.filter((tile) => tile.offsetTop === tiles[0].offsetTop).length);
  }
}

const review = document.getElementById("review");
if (review) new Review(review);
const bulk = document.getElementById("bulk");
if (bulk) new Bulk(bulk);
for (const dialog of document.querySelectorAll("dialog")) {
  dialog.addEventListener("click", (event) => (event.target === dialog || event.target.closest("[data-close]")) && dialog.close());
}
