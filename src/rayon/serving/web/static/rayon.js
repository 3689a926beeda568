// The one script of all pages. Pages say what they need by data attributes; without it, forms still work.

/** Send a request as the page's session; an answer that is not fine becomes an error with its words. */
export async function ask(path, { method = "GET", json, body, signal, keepalive } = {}) {
  const headers = { Accept: "application/json", "X-CSRF-Token": document.querySelector("meta[name=csrf]").content };
  if (json !== undefined) headers["Content-Type"] = "application/json";
  const options = { method, headers, signal, keepalive, body: json === undefined ? body : JSON.stringify(json) };
  const answer = await fetch(path, options);
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    throw Object.assign(new Error(problem.detail || answer.statusText), { status: answer.status, hint: problem.hint || "" });
  }
  const kind = answer.headers.get("content-type") || "";
  return answer.status === 204 ? null : kind.includes("json") ? answer.json() : answer.text();
}

/** Make an element with attributes and children; texts are never read as HTML. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

/** Moments in the time zone of whoever looks. */
function localTimes(root) {
  const format = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
  for (const time of root.querySelectorAll("time[datetime]")) {
    time.title = time.textContent;
    time.textContent = format.format(new Date(time.dateTime));
  }
}

/** Parts of a page that come later, or again and again: data-load is where from, data-every how often in seconds. */
async function load(element) {
  try {
    const answer = await fetch(element.dataset.load, { headers: { Accept: "text/html" } });
    if (answer.redirected && new URL(answer.url).pathname === "/sign-in") return location.reload();
    if (answer.ok) {
      element.innerHTML = await answer.text(); // from our own server, which escapes what people wrote
      if (element.querySelector("[data-reload]")) return location.reload();
      prepare(element);
      say(element);
      if (element.querySelector("[data-done]")) return;
      element.dataset.load = element.querySelector("[data-next]")?.dataset.next ?? element.dataset.load;
    }
  } catch { /* the connection is gone for the moment */ }
  if (element.dataset.every) setTimeout(load, 1000 * Number(element.dataset.every), element);
}

/** What a part of the page has to say to who cannot see it; only where it is something new. */
function say(root) {
  const live = document.querySelector("[data-live]");
  const words = root.querySelector("[data-say]")?.dataset.say;
  if (live && words && live.textContent !== words) live.textContent = words;
}

/** Forms that ask before they are sent, and that are sent once. */
function forms(root) {
  for (const form of root.querySelectorAll("form[method=post]")) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent) event.preventDefault();
      form.dataset.sent = "yes";
    });
  }
  for (const field of root.querySelectorAll("[data-submits]")) {
    field.addEventListener("change", () => field.form.requestSubmit());
  }
}

/** What was typed into a form stays in this tab until it was answered; data-keep says under which name. */
function drafts(root) {
  for (const form of root.querySelectorAll("form[data-keep]")) {
    const key = `rayon-draft-${form.dataset.keep}`;
    const fields = [...form.querySelectorAll("input[type=text], textarea")];
    const keep = (sent) => {
      const values = Object.fromEntries(fields.map((field) => [field.name, field.value]));
      sessionStorage.setItem(key, JSON.stringify({ at: location.search, sent, values }));
    };
    const draft = JSON.parse(sessionStorage.getItem(key) || "null");
    if (draft?.sent && form.hasAttribute("data-answered")) sessionStorage.removeItem(key);
    else if (draft?.at === location.search) fields.forEach((field) => (field.value = draft.values[field.name] ?? field.value));
    form.addEventListener("input", () => keep(false));
    form.addEventListener("submit", () => keep(true));
  }
}

/** A field for a picture: chosen, dropped or pasted, and shown before it is sent. */
function pictures(root) {
  for (const box of root.querySelectorAll("[data-picture]")) {
    const input = box.querySelector("input[type=file]");
    const image = box.querySelector("[data-preview]");
    const refused = box.querySelector("[data-refused]");
    const remove = box.querySelector("[data-remove]");
    const before = image.getAttribute("src");
    const show = () => {
      const file = input.files[0];
      const fine = !file || (input.accept.split(",").includes(file.type) && file.size <= Number(box.dataset.most));
      refused.textContent = fine ? "" : refused.dataset.refused;
      if (!fine) input.value = "";
      const chosen = input.files[0];
      if (image.src.startsWith("blob:")) URL.revokeObjectURL(image.src);
      image.hidden = !chosen && !before;
      remove.hidden = !chosen;
      if (chosen) image.src = URL.createObjectURL(chosen);
      else if (before) image.src = before;
    };
    const take = (event, files) => {
      if (!files?.length) return;
      event.preventDefault();
      const chosen = new DataTransfer();
      chosen.items.add(files[0]);
      input.files = chosen.files;
      show();
    };
    input.addEventListener("change", show);
    remove.addEventListener("click", () => {
      input.value = "";
      show();
      input.focus();
    });
    box.addEventListener("dragover", (event) => {
      event.preventDefault();
      box.classList.add("over");
    });
    box.addEventListener("dragleave", () => box.classList.remove("over"));
    box.addEventListener("drop", (event) => {
      event.preventDefault();
      box.classList.remove("over");
      take(event, event.dataTransfer.files);
    });
    addEventListener("paste", (event) => take(event, event.clipboardData?.files));
  }
}

/** Tables that are wider than the window can be scrolled with the keyboard. */
function scrollable(root) {
  for (const element of root.querySelectorAll(".scroll, figure")) {
    if (element.scrollWidth > element.clientWidth) element.tabIndex = 0;
    else element.removeAttribute("tabindex");
  }
}

/** A form with large files: they can be dropped, and one sees how much is sent and can stop it. */
function uploads(root) {
  for (const form of root.querySelectorAll("form[data-upload]")) {
    const [box, state] = [form.querySelector("[data-drop]"), form.querySelector("[data-sending]")];
    const [bar, said, share] = ["progress", "[data-said]", "[data-share]"].map((one) => state.querySelector(one));
    const [stop, button] = [state.querySelector("[data-stop]"), form.querySelector("button:not([type])")];
    let sending = null;
    form.querySelector("[data-drop-hint]").hidden = false;
    dropping(box, (files) => {
      for (const file of files) {
        const chosen = new DataTransfer();
        chosen.items.add(file);
        const name = file.name.toLowerCase().endsWith(".zip") ? "images" : "file";
        form.elements.namedItem(name).files = chosen.files;
      }
    });
    const ended = (words) => {
      sending = null;
      delete form.dataset.sent;
      button.disabled = false;
      stop.hidden = bar.hidden = true;
      share.textContent = "";
      said.textContent = words;
    };
    stop.addEventListener("click", () => sending?.abort());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (sending) return;
      sending = new XMLHttpRequest();
      sending.upload.addEventListener("progress", ({ loaded, total }) => {
        bar.value = loaded / total;
        share.textContent = `${Math.floor((100 * loaded) / total)} %`;
      });
      sending.upload.addEventListener("load", () => {
        bar.removeAttribute("value"); // how long the server takes is not known
        share.textContent = "";
        said.textContent = said.dataset.reads;
      });
      sending.addEventListener("load", () => show(sending));
      sending.addEventListener("error", () => ended(said.dataset.lost));
      sending.addEventListener("abort", () => ended(said.dataset.stopped));
      sending.open("POST", form.action);
      sending.setRequestHeader("Accept", "text/html");
      sending.setRequestHeader("X-CSRF-Token", document.querySelector("meta[name=csrf]").content);
      bar.value = 0;
      said.textContent = said.dataset.sends;
      state.hidden = stop.hidden = bar.hidden = false;
      button.disabled = true;
      sending.send(new FormData(form));
    });
  }

  /** Go where the answer leads, or show it in the place of this page. */
  function show(answer) {
    if (answer.status < 400) return location.assign(answer.responseURL);
    const main = new DOMParser().parseFromString(answer.responseText, "text/html").querySelector("#main");
    document.querySelector("#main").replaceWith(main);
    prepare(main);
    main.focus();
  }
}

/** A place where files can be dropped. */
function dropping(box, take) {
  box.addEventListener("dragover", (event) => {
    event.preventDefault();
    box.classList.add("over");
  });
  box.addEventListener("dragleave", () => box.classList.remove("over"));
  box.addEventListener("drop", (event) => {
    event.preventDefault();
    box.classList.remove("over");
    take(event.dataTransfer.files);
  });
}

function prepare(root) {
  scrollable(root);
  localTimes(root);
  forms(root);
  drafts(root);
  pictures(root);
  uploads(root);
  for (const element of root.querySelectorAll("[data-load]")) load(element);
}

// A page that comes back from the browser's memory may be sent again.
addEventListener("pageshow", () => document.querySelectorAll("form").forEach((form) => delete form.dataset.sent));
addEventListener("resize", () => scrollable(document));
prepare(document);
