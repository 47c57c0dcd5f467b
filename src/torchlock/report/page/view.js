"use strict";
/* The page: filters, the two tables and the pasted text. The answers come from judge.js and paste.js. */

const MARKS = { measured: "●", declared: "◐", reported: "○" };
const byId = (id) => document.getElementById(id);

/* An element with attributes and children; a text child is escaped by the browser. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((each) => each !== null && each !== undefined));
  return element;
}

function markOf(judged) {
  if (!judged) return " ";
  if (judged.verdict === "loads") return MARKS[judged.kind] || "○";
  return { fails: "×", skipped: "–" }[judged.verdict] || "?";
}

const classOf = (judged) => (judged ? `${judged.verdict} ${judged.kind}` : "none");

class View {
  constructor(data) {
    this.data = data;
    this.judge = new Judge(data);
    this.companion = data.companions[0];
    this.chosen = null;
    this.fillFilters();
    this.listen();
    this.draw();
  }

  get target() {
    const platform = Number(byId("platform").value), python = byId("python").value;
    return {
      platform,
      pythons: python === "" ? (1 << this.data.pythons.length) - 1 : 1 << Number(python),
      build: byId("build").value,
      gpu: byId("gpu").value,
      driver: byId("driver").value.trim(),
    };
  }

  fillFilters() {
    const option = (value, text) => make("option", { value }, text);
    byId("python").append(option("", "any"), ...this.data.pythons.map((minor, at) => option(at, `3.${minor}`)).reverse());
    byId("build").append(option("pypi", "public index"),
      ...this.data.machines.labels.map((label) => option(label, `${label} (${this.data.labels[label][2]})`)));
    byId("gpu").append(option("", "not stated"), ...this.data.machines.gpus.map(([arch, title, , , , , names]) => {
      const shown = names.slice(0, 2).join(", ");
      return option(arch, `${arch}: ${title}${shown ? ` (${shown})` : ""}`);
    }));
    const versions = this.data.packages.torch.versions.map((text, at) => [text, at]).reverse();
    byId("oldest").append(...versions.map(([text, at]) => option(at, text)));
    byId("oldest").value = this.data.packages.torch.versions.indexOf("2.0.0");
    byId("companion").append(...this.data.companions.map((name) => make("label", {},
      make("input", { type: "radio", name: "companion", value: name, checked: name === this.companion }), name)));
    for (const [name, value] of Object.entries(this.data.initial || {})) byId(name).value = value;
  }

  listen() {
    byId("filters").addEventListener("input", () => this.draw());
    byId("filters").addEventListener("submit", (event) => event.preventDefault());
    byId("companion").addEventListener("change", (event) => { this.companion = event.target.value; this.drawGrid(); });
    byId("judge").addEventListener("click", () => showPasted(this));
    byId("clear").addEventListener("click", () => { byId("pasted").value = ""; byId("judged").replaceChildren(); });
    byId("close").addEventListener("click", () => byId("detail").classList.remove("open"));
    document.querySelector(".overview").addEventListener("click", (event) => {
      const button = event.target.closest("button.pick");
      if (button) this.choose(button.dataset.name, Number(button.dataset.release), Number(button.dataset.torch));
    });
    const grid = byId("grid");
    grid.addEventListener("click", (event) => this.enter(event.target.closest("td")));
    grid.addEventListener("keydown", (event) => this.move(event));
  }

  draw() {
    const driver = byId("driver");
    driver.setAttribute("aria-invalid", driver.value.trim() !== "" && !numbers(driver.value.trim()));
    byId("target").textContent = this.targetInWords();
    this.drawOverview();
    this.drawGrid();
    if (this.chosen) this.choose(this.chosen.name, this.chosen.release, this.chosen.torch, false);
  }

  /* The filters as one line, for a print of the page. */
  targetInWords() {
    const chosen = (id) => byId(id).selectedOptions[0].textContent;
    const driver = byId("driver").value.trim();
    return `${chosen("platform")}; Python ${chosen("python")}; build: ${chosen("build")}; GPU: ${chosen("gpu")}${driver ? `; driver ${driver}` : ""}`;
  }

  /* The releases of torch that are shown, newest first, each with its build. */
  torches() {
    const { target } = this, oldest = Number(byId("oldest").value);
    const found = [];
    for (let torch = this.data.packages.torch.versions.length - 1; torch >= oldest; torch -= 1) {
      if (!(this.judge.cells("torch", torch, target.platform) & target.pythons)) continue;
      for (const build of this.judge.wanted("torch", torch, target.platform, target.build)) {
        const fitness = this.judge.fitness(torch, build, target.platform, target.gpu, numbers(target.driver) ? target.driver : "");
        found.push({ torch, build, fitness });
      }
    }
    return found;
  }

  /* The judgement that the filters show for two releases; null if there is none. */
  judgement(name, release, torch, torchBuild) {
    const { target } = this;
    const shared = this.judge.cells(name, release, target.platform) & this.judge.cells("torch", torch, target.platform);
    const [build] = this.judge.wanted(name, release, target.platform, target.build);
    if (build === undefined || !(shared & target.pythons)) return null;
    const judged = this.judge.judge(name, release, build, torch, torchBuild, target.platform, target.pythons);
    const shown = [...document.querySelectorAll("input[name=kind]:checked")].map((each) => each.value);
    return judged && shown.includes(judged.kind) ? { ...judged, build } : null;
  }

  head(row) {
    const words = { no: "no", unknown: "?" }[row.fitness ? row.fitness.answer : ""];
    const text = row.fitness && `${[this.target.gpu, this.target.driver && `driver ${this.target.driver}`].filter(Boolean).join(", ")}: ${row.fitness.because}`;
    return make("th", { scope: "row" }, this.data.packages.torch.versions[row.torch], " ", make("small", {}, row.build || "?"),
      words ? make("span", { class: `tag ${row.fitness.answer}`, title: text }, words === "no" ? "does not run" : "may not run") : null);
  }

  drawOverview() {
    const names = this.data.companions;
    const body = make("tbody", {}, ...this.torches().map((row) => make("tr", {}, this.head(row),
      ...names.map((name) => this.overviewCell(name, row)))));
    const head = make("thead", {}, make("tr", {}, ...["torch", ...names].map((name) => make("th", { scope: "col" }, name))));
    const caption = make("caption", { class: "hidden" }, "Releases that load with each torch");
    document.querySelector(".overview").replaceChildren(caption, head, body);
  }

  overviewCell(name, row) {
    const { versions } = this.data.packages[name];
    const found = versions.map((_, release) => ({ release, judged: this.judgement(name, release, row.torch, row.build) }))
      .filter((each) => each.judged);
    const loads = found.filter((each) => each.judged.verdict === "loads");
    const yanked = spans(this.data.packages[name].yanked);
    const installs = loads.filter((each) => !yanked.has(each.release) && this.judge.allows(name, each.release, row.torch, this.target.platform));
    const good = installs.length ? installs : loads;
    const open = found.filter((each) => each.judged.verdict === "unknown");
    const shown = good.length ? good : open;
    if (!shown.length) return make("td", { class: "empty" }, make("span", { "aria-hidden": "true" }, "–"), make("span", { class: "hidden" }, "none"));
    const cell = make("td");
    const newest = shown[shown.length - 1];
    const kinds = new Set(shown.map((each) => each.judged.kind));
    const said = good.length ? `loads, ${[...kinds].join(" and ")}` : "unknown";
    cell.append(make("button", { class: "pick", type: "button", "data-name": name, "data-release": newest.release, "data-torch": row.torch },
      ...[...new Set(shown.map((each) => markOf(each.judged)))].map((mark) => make("span", { "aria-hidden": "true" }, mark)), " ",
      spansInWords(shown.map((each) => each.release), versions), make("span", { class: "hidden" }, `, ${said}`)));
    return cell;
  }

  drawGrid() {
    const { versions } = this.data.packages[this.companion], { target } = this;
    const rows = this.torches();
    const releases = versions.map((_, at) => at).reverse().filter((release) =>
      rows.some((row) => this.judge.cells(this.companion, release, target.platform) & target.pythons & this.judge.cells("torch", row.torch, target.platform)));
    const head = make("tr", {}, make("th", { scope: "col" }, "torch"), ...releases.map((release) => make("th", { scope: "col" }, make("span", {}, versions[release]))));
    const body = rows.map((row) => make("tr", { class: row.fitness && row.fitness.answer === "no" ? "unfit" : null }, this.head(row), ...releases.map((release) => {
      const judged = this.judgement(this.companion, release, row.torch, row.build);
      const isRefused = judged && judged.verdict === "loads" && !this.judge.allows(this.companion, release, row.torch, target.platform);
      const words = judged && [judged.verdict, judged.kind, isRefused ? "pip refuses the pair" : ""].filter(Boolean).join(", ");
      const label = judged ? `${this.companion} ${versions[release]}: ${words}` : "never installs together, or filtered";
      return make("td", { class: `${classOf(judged)}${isRefused ? " refused" : ""}`, tabindex: "-1", "data-release": release, "data-torch": row.torch,
        "aria-label": label, "aria-selected": this.isChosen(release, row.torch) ? "true" : "false" }, markOf(judged));
    })));
    const table = make("table", { class: "grid", role: "grid", "aria-label": `torch and ${this.companion}`, "aria-describedby": "grid-help", "aria-readonly": "true" }, make("thead", {}, head), make("tbody", {}, ...body));
    byId("grid").replaceChildren(releases.length && rows.length ? table : make("p", { class: "note" }, "No two of these releases install together on this target."));
    const first = table.querySelector("td[aria-selected=true]") || table.querySelector("td.loads") || table.querySelector("td");
    if (first) first.tabIndex = 0;
  }

  isChosen(release, torch) {
    return this.chosen !== null && this.chosen.name === this.companion && this.chosen.release === release && this.chosen.torch === torch;
  }

  /* Move the focus over the cells of the grid. */
  move(event) {
    const cell = event.target.closest("td");
    if (!cell) return;
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); this.enter(cell); return; }
    const row = cell.parentElement, rows = [...row.parentElement.children], across = [...row.children].indexOf(cell), down = rows.indexOf(row);
    const last = row.children.length - 1;
    const to = {
      ArrowLeft: [down, across - 1], ArrowRight: [down, across + 1], ArrowUp: [down - 1, across], ArrowDown: [down + 1, across],
      Home: [event.ctrlKey ? 0 : down, 1], End: [event.ctrlKey ? rows.length - 1 : down, last],
      PageUp: [Math.max(0, down - 10), across], PageDown: [Math.min(rows.length - 1, down + 10), across],
    }[event.key];
    if (!to) return;
    event.preventDefault();
    const next = rows[to[0]] && rows[to[0]].children[to[1]];
    if (!next || next.tagName !== "TD") return;
    for (const each of byId("grid").querySelectorAll("td[tabindex='0']")) each.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }

  enter(cell) {
    if (!cell || cell.classList.contains("none")) return;
    for (const each of byId("grid").querySelectorAll("td[tabindex='0']")) each.tabIndex = -1;
    cell.tabIndex = 0;
    cell.focus();
    this.choose(this.companion, Number(cell.dataset.release), Number(cell.dataset.torch));
  }

  choose(name, release, torch, isNew = true) {
    this.chosen = { name, release, torch };
    for (const each of byId("grid").querySelectorAll("td[aria-selected=true]")) each.setAttribute("aria-selected", "false");
    const cell = name === this.companion && byId("grid").querySelector(`td[data-release="${release}"][data-torch="${torch}"]`);
    if (cell) cell.setAttribute("aria-selected", "true");
    showEvidence(this, this.chosen);
    if (isNew) byId("detail").classList.add("open");
  }
}

/* Releases in words, newest first: "0.14.0–0.17.0, 0.11.1". */
function spansInWords(places, versions) {
  const runs = [];
  for (const place of places) {
    const last = runs[runs.length - 1];
    if (last && last[1] === place - 1) last[1] = place;
    else runs.push([place, place]);
  }
  return runs.reverse().map(([first, last]) => (first === last ? versions[first] : `${versions[first]}–${versions[last]}`)).join(", ");
}
