"use strict";
/* The evidence of one pair, its commands, and the answer to a pasted text. */

const WHEELS = "https://download.pytorch.org/whl/";

function showEvidence(view, { name, release, torch }) {
  const { data, judge, target } = view;
  const versions = data.packages[name].versions, version = versions[release], torchVersion = data.packages.torch.versions[torch];
  const builds = judge.wanted(name, release, target.platform, target.build);
  const torchBuilds = judge.wanted("torch", torch, target.platform, target.build);
  const found = byId("evidence");
  const title = make("p", {}, make("strong", {}, `${name} ${version}`), " and ", make("strong", {}, `torch ${torchVersion}`), ` on ${data.platforms[target.platform]}`);
  const judged = builds.length && torchBuilds.length ? judge.judge(name, release, builds[0], torch, torchBuilds[0], target.platform, target.pythons) : null;
  if (!judged) {
    found.replaceChildren(title, make("p", { class: "note" }, "There is no such pair for this target: at least one of the two releases has no wheel or no such build."));
    return;
  }
  const pythons = pythonsOf(data, judge.cells(name, release, target.platform) & judge.cells("torch", torch, target.platform));
  const allowed = judge.allows(name, release, torch, target.platform);
  const parts = [
    title, verdictLine(judged), make("p", {}, judged.reason),
    judged.rule && !(judged.evidence || []).length ? make("p", { class: "note" }, "These two wheels were not compared: the rule decides.") : null,
    make("p", { class: "note" }, `${name} ${builds[0] || "build not known"}, torch ${torchBuilds[0] || "build not known"}; Python ${pythons.join(", ")}.`),
    allowed ? null : make("p", {}, make("span", { class: "tag unknown" }, "metadata"), " The metadata refuses this torch: pip and uv do not install the pair."),
    spans(data.packages[name].yanked).has(release) ? make("p", {}, `${name} ${version} was yanked: an installer takes it only if it is pinned.`) : null,
    fitnessLine(view, torch, torchBuilds[0]),
    ...commandsOf(view, { name, release, torch, judged, allowed, pythons, build: builds[0], torchBuild: torchBuilds[0] }),
    ...evidenceOf(judged), ...sourcesOf(data, judged), ...buildsOf(view, name, release, torch),
  ];
  found.replaceChildren(...parts.filter(Boolean));
}

function pythonsOf(data, mask) {
  return data.pythons.filter((_, at) => mask & (1 << at)).map((minor) => `3.${minor}`);
}

function verdictLine(judged) {
  const words = { loads: "loads", fails: "fails", unknown: "unknown" }[judged.verdict];
  const kind = judged.kind ? `, ${judged.kind}` : "";
  return make("p", { class: "verdict" }, make("b", { class: `mark ${classOf(judged)}`, "aria-hidden": "true" }, markOf(judged)),
    make("span", {}, words, kind, judged.rule ? ` (${judged.rule})` : ""));
}

function fitnessLine(view, torch, build) {
  const { target } = view;
  const fitness = view.judge.fitness(torch, build, target.platform, target.gpu, numbers(target.driver) ? target.driver : "");
  if (!fitness) return null;
  const words = { yes: "runs", no: "does not run", unknown: "unknown" }[fitness.answer];
  const others = view.judge.wanted("torch", torch, target.platform, "all").filter((each) => each !== build && each !== "cpu" && each
    && view.judge.fitness(torch, each, target.platform, target.gpu, numbers(target.driver) ? target.driver : "").answer === "yes");
  const advice = fitness.answer === "yes" ? "" : others.length ? ` Builds of this torch that run: ${others.join(", ")}.` : " No other known build of this torch is known to run.";
  return make("p", {}, make("strong", {}, `${[target.gpu, target.driver && `driver ${target.driver}`].filter(Boolean).join(", ")}: ${words}`), ` (${fitness.because}).${advice}`);
}

/* The commands that install a pair; for a pair that does not load, the nearest release that does. */
function commandsOf(view, pair) {
  const { data, judge, target } = view;
  const names = data.packages[pair.name].versions, torch = data.packages.torch.versions[pair.torch];
  if (pair.judged.verdict !== "loads" || !pair.allowed) {
    const good = names.map((_, at) => at).filter((at) => {
      const other = view.judgement(pair.name, at, pair.torch, pair.torchBuild);
      return other && other.verdict === "loads" && judge.allows(pair.name, at, pair.torch, target.platform);
    });
    if (!good.length) return [make("p", {}, `No release of ${pair.name} in the data is known to load with torch ${torch} here.`)];
    return [make("p", {}, `Loads with torch ${torch}: ${pair.name} ${spansInWords(good, names)}.`)];
  }
  const isApart = target.build !== "pypi" && data.packages[pair.name].labels === false;
  const commands = (isApart ? apartTexts : commandTexts)({ name: pair.name, version: names[pair.release], torch, build: target.build, platform: data.platforms[target.platform], python: chosenPython(view, pair.pythons) });
  return [make("h3", {}, "Install"), ...Object.entries(commands).map(([title, text]) => copyable(title, text))];
}

function chosenPython(view, pythons) {
  const value = byId("python").value;
  return value === "" ? pythons[pythons.length - 1] : `3.${view.data.pythons[Number(value)]}`;
}

/* The texts to copy: {pip, uv, "requirements.txt", Dockerfile}. */
function commandTexts({ name, version, torch, build, platform, python }) {
  const page = build === "pypi" ? "" : `${WHEELS}${build}`;
  const pins = [`torch==${torch}`, `${name}==${version}`], tail = page ? ` --index-url ${page}` : "";
  const found = {
    pip: `python -m pip install ${pins.join(" ")}${tail}`,
    uv: `uv pip install ${pins.join(" ")}${tail}`,
    "requirements.txt": [...(page ? [`--index-url ${page}`] : []), ...pins].join("\n"),
  };
  if (platform.startsWith("linux")) {
    const ffmpeg = name === "torchcodec" ? ["RUN apt-get update && apt-get install -y --no-install-recommends ffmpeg"] : [];
    found.Dockerfile = [`FROM python:${python}-slim`, ...ffmpeg, `RUN pip install --no-cache-dir ${pins.join(" ")}${tail}`].join("\n");
  }
  return found;
}

/* The same for a companion that has no builds of its own, and that the page of a build may lack. */
function apartTexts({ name, version, torch, build, platform, python }) {
  const first = `torch==${torch} --index-url ${WHEELS}${build}`, second = `${name}==${version}`;
  const found = {
    pip: `python -m pip install ${first}\npython -m pip install ${second}`,
    uv: `uv pip install ${first}\nuv pip install ${second}`,
  };
  if (platform.startsWith("linux")) {
    found.Dockerfile = [`FROM python:${python}-slim`, `RUN pip install --no-cache-dir ${first}`, `RUN pip install --no-cache-dir ${second}`].join("\n");
  }
  return found;
}

function copyable(title, text) {
  const button = make("button", { type: "button", "aria-label": `Copy the ${title} text` }, "Copy");
  button.addEventListener("click", () => copyText(text, button));
  return make("div", { class: "copy" }, make("pre", { "aria-label": title, role: "group" }, text), button);
}

/* Copy a text. A page from disk may lack the clipboard, so a selection is the second way. */
async function copyText(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    const range = document.createRange();
    range.selectNodeContents(button.previousSibling);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    button.textContent = document.execCommand("copy") ? "Copied" : "Selected";
  }
}

function evidenceOf(judged) {
  if (!judged.evidence.length && !judged.symbol) return [];
  const wheels = judged.evidence.map(([file, sha256, date]) => make("li", {}, make("code", {}, file), ` sha256 `, make("code", {}, sha256), ` (${date})`));
  const symbol = judged.symbol ? [make("p", {}, "First symbol that torch lacks: ", make("code", {}, judged.symbol))] : [];
  return [make("h3", {}, "Wheels that were read"), ...symbol, make("ul", {}, ...wheels)];
}

function sourcesOf(data, judged) {
  if (!judged.sources.length) return [];
  const items = judged.sources.map((place) => {
    const [, address, kind, date] = data.sources[place];
    const link = address.startsWith("https://") ? make("a", { href: address, rel: "noreferrer" }, address) : address;
    return make("li", {}, `${kind} ${date}: `, link);
  });
  return [make("h3", {}, "Sources"), make("ul", {}, ...items)];
}

/* Every known build of both releases beside each other. */
function buildsOf(view, name, release, torch) {
  const { judge, target } = view;
  const mine = judge.wanted(name, release, target.platform, "all"), theirs = judge.wanted("torch", torch, target.platform, "all");
  if (mine.length * theirs.length < 2) return [];
  const head = make("tr", {}, make("th", { scope: "col" }, "torch"), ...mine.map((build) => make("th", { scope: "col" }, build || "?")));
  const rows = theirs.map((torchBuild) => make("tr", {}, make("th", { scope: "row" }, torchBuild || "?"), ...mine.map((build) => {
    const judged = judge.judge(name, release, build, torch, torchBuild, target.platform, target.pythons);
    return make("td", { title: judged.reason }, make("b", { class: `mark ${classOf(judged)}`, "aria-hidden": "true" }, markOf(judged)), make("span", { class: "hidden" }, judged.verdict));
  })));
  return [make("h3", {}, "Builds of this pair"), make("p", { class: "note" }, `Columns are builds of ${name}, rows builds of torch; the build of the public index is the first.`),
    make("table", { class: "builds" }, make("thead", {}, head), make("tbody", {}, ...rows))];
}

function showPasted(view) {
  const text = byId("pasted").value, place = byId("judged");
  if (!text.trim()) { place.replaceChildren(make("p", { class: "note" }, "There is nothing to judge.")); return; }
  place.replaceChildren(...(isLog(text) ? logAnswer(view, text) : requirementsAnswer(view, text)));
}

function requirementsAnswer(view, text) {
  const answer = judgeRequirements(view.judge, text, view.target), where = view.data.platforms[view.target.platform];
  const python = byId("python").value === "" ? "any Python" : `Python ${chosenPython(view, [])}`;
  const items = answer.lines.map(answerItem);
  const words = { loads: "These releases load together", fails: "These releases cannot be installed and loaded together", unknown: "Not all of this could be judged" }[answer.verdict];
  return [make("p", {}, make("strong", {}, `${words} (${where}, ${python}).`)), make("ol", {}, ...items),
    make("p", { class: "note" }, "Not judged here: other packages, constraints in other files, and system libraries. ", make("code", {}, "torchlock audit FILE"), " judges the whole file.")];
}

function answerItem(line) {
  const shown = { verdict: line.verdict, kind: line.judged ? line.judged.kind : "" };
  return make("li", {}, make("b", { class: `mark ${classOf(shown)}`, "aria-hidden": "true" }, markOf(shown)),
    make("span", {}, make("span", { class: "hidden" }, `${line.verdict}: `), line.text));
}

/* The releases that a log names, judged as pins. */
function namedInLog(view, text) {
  const pins = pinsOfLog(view.data, text);
  if (!pins) return [];
  const { lines } = judgeRequirements(view.judge, pins, view.target);
  return [make("p", {}, make("strong", {}, `The log names ${pins.split("\n").join(", ")}:`)), make("ol", {}, ...lines.map(answerItem))];
}

function logAnswer(view, text) {
  view.logs = view.logs || new LogReader(view.data);
  const found = view.logs.read(text).slice(0, 8);
  const items = found.map((each) => {
    const said = each.meaning ? `${each.meaning.says}.` : `May be: ${each.rules.map((rule) => `${view.logs.titles[rule] || rule} (${rule})`).join("; or: ")}. The files decide.`;
    return make("li", {}, make("b", { class: "mark unknown" }, "?"), make("span", {}, `line ${each.number}: `, make("code", {}, each.line.slice(0, 200)), make("br"), said,
      each.meaning && each.meaning.fix ? ` ${each.meaning.fix}` : "", each.meaning && each.meaning.command ? make("pre", {}, each.meaning.command) : ""));
  });
  const summary = found.length ? "What these lines mean by themselves. Which one is the cause needs the files:" : "No line of this log is known to this page.";
  return [...namedInLog(view, text), make("p", {}, make("strong", {}, summary)), make("ol", {}, ...items),
    make("p", { class: "note" }, make("code", {}, "torchlock check --log FILE"), " orders the causes, and reads the libraries of the environment.")];
}
