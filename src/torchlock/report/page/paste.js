"use strict";
/* What a pasted text says: a list of requirements, or a log. Nothing here touches the document. */

const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,80}[A-Za-z0-9])?/;
const COMMAND = /^.*?\bpip3?\s+install\b/;
const VALUED = /^(--index-url|--extra-index-url|-i|-f|--find-links|-c|-r|--constraint|--requirement|--target|-t|--python|-p)$/;
const PAGE = /download(?:-r2)?\.pytorch\.org\/whl\/(?:test\/)?((?:cu|rocm)[\d.]{1,8}|cpu|xpu)\b/;

/* A version of PEP 440 as a key that compares; null if the text is not one. */
function versionKey(text) {
  const match = /^v?(?:(\d{1,4})!)?(\d{1,9}(?:\.\d{1,9}){0,8})(?:[._-]?(a|alpha|b|beta|c|rc|pre|preview)[._-]?(\d{0,9}))?(?:[._-]?(post|rev|r)[._-]?(\d{0,9})|-(\d{1,9}))?(?:[._-]?(dev)[._-]?(\d{0,9}))?(?:\+[a-z0-9._-]{1,60})?$/i.exec(text.trim());
  if (!match) return null;
  const release = match[2].split(".").map(Number);
  while (release.length > 1 && release[release.length - 1] === 0) release.pop();
  const isPost = match[5] !== undefined || match[7] !== undefined;
  const isDev = match[8] !== undefined;
  const phase = { a: 1, alpha: 1, b: 2, beta: 2, c: 3, rc: 3, pre: 3, preview: 3 };
  let pre = match[3] ? [phase[match[3].toLowerCase()], Number(match[4] || 0)] : [9, 0];
  if (!match[3] && isDev && !isPost) pre = [0, 0];
  return {
    epoch: Number(match[1] || 0),
    release,
    tail: [...pre, isPost ? 1 + Number(match[6] || match[7] || 0) : 0, isDev ? Number(match[9] || 0) : 1e9],
  };
}

function compareVersions(one, other) {
  return one.epoch - other.epoch || compare(one.release, other.release) || compare(one.tail, other.tail);
}

/* Whether a version (a text) satisfies one clause like ">=2.1"; null if the clause is not one. */
function satisfies(version, clause) {
  const match = /^(===|==|!=|~=|<=|>=|<|>)\s*([^\s]+)$/.exec(clause.trim());
  if (!match) return null;
  const [, operator, stated] = match, own = versionKey(version);
  if (operator === "===") return version === stated;
  if (stated.endsWith(".*")) {
    const prefix = versionKey(stated.slice(0, -2));
    if (!prefix || (operator !== "==" && operator !== "!=")) return null;
    const length = stated.slice(0, -2).replace(/^v?(\d+!)?/, "").split(".").length;
    const wanted = stated.slice(0, -2).replace(/^v?(\d+!)?/, "").split(".").map(Number);
    const same = own.epoch === prefix.epoch && wanted.every((part, at) => (own.release[at] || 0) === part) && length > 0;
    return same === (operator === "==");
  }
  const key = versionKey(stated);
  if (!key) return null;
  const order = compareVersions(own, key);
  const sameRelease = own.epoch === key.epoch && compare(own.release, key.release) === 0;
  switch (operator) {
    case "==": return order === 0;
    case "!=": return order !== 0;
    case "<=": return order <= 0;
    case ">=": return order >= 0;
    case "<": return order < 0 && !(sameRelease && key.tail[0] === 9 && own.tail[0] < 9);
    case ">": return order > 0 && !(sameRelease && key.tail[2] === 0 && own.tail[2] > 0);
    default: {
      const parts = stated.replace(/^v?(\d+!)?/, "").replace(/(?:[._-]?(?:a|b|c|rc|post|dev).*|\+.*)$/i, "").split(".");
      if (parts.length < 2) return null;
      const upper = parts.slice(0, -1).map(Number);
      return order >= 0 && upper.every((part, at) => (own.release[at] || 0) === part);
    }
  }
}

/* The releases (places) of a package that a specifier set allows; null if it is not a specifier set. */
function allowed(data, name, specifier) {
  const { versions } = data.packages[name];
  const clauses = specifier.split(",").map((each) => each.trim()).filter(Boolean);
  const found = [];
  for (let place = 0; place < versions.length; place += 1) {
    let fits = true;
    for (const clause of clauses) {
      const answer = satisfies(versions[place], clause.replace(/\+[a-z0-9.]+$/i, ""));
      if (answer === null) return null;
      fits = fits && answer;
    }
    if (fits) found.push(place);
  }
  return found;
}

/* The requirements on the family in a text: {entries, label, notRead}; what a marker leaves out is "skipped". */
function readRequirements(data, text, target) {
  const names = Object.keys(data.packages), found = { entries: [], label: "", notRead: [] };
  for (const [number, raw] of text.split(/\r?\n/).entries()) {
    const page = PAGE.exec(raw);
    const plain = raw.replace(/(^|\s)#.*$/, "").trim(), isCommand = COMMAND.test(plain);
    const line = isCommand ? plain.replace(COMMAND, "").trim() : plain;
    if (page && (isCommand || /^(-i|--index-url|--extra-index-url|--find-links|-f)\b/.test(line))) found.label = page[1];
    for (const word of words(line, isCommand)) {
      const name = NAME.exec(word);
      const known = name && name[0].toLowerCase().replace(/[-_.]+/g, "-");
      if (known && names.includes(known)) readRequirement(data, { known, word, rest: word.slice(name[0].length), line: number + 1 }, target, found);
    }
  }
  return found;
}

/* One requirement of the family: an entry, or a note that says why it is not judged. */
function readRequirement(data, { known, word, rest, line }, target, found) {
  const [specifier, marker = ""] = rest.replace(/^\[[^\]]*\]/, "").trim().split(";");
  const local = /\+([a-z0-9.]+)/i.exec(specifier);
  const places = /^\s*@/.test(specifier) ? null : allowed(data, known, specifier.replace(/[()\\]/g, ""));
  const holds = marker.trim() ? markerOnTarget(marker.trim(), data, target) : true;
  const note = (because, verdict = "unknown") => found.notRead.push({ line, text: word, because, verdict });
  if (holds === null) note("was not judged: its marker is not known for these Pythons");
  else if (holds === false) note("is not for this target: its marker is false", "skipped");
  else if (places === null) note("was not judged: its version is not a range");
  else found.entries.push({ name: known, line, specifier: specifier.trim(), places, build: local ? local[1].toLowerCase() : "" });
}

/* The requirements of a line: a requirements file has one in a line, a command several. */
function words(line, isCommand) {
  if (!line || /^-/.test(line)) return [];
  if (!isCommand) return [line.replace(/\s+--\w.*$/, "").replace(/\\$/, "").replace(/^(["'])(.*)\1,?$/, "$2").trim()];
  const found = [], quoted = line.match(/"[^"]*"|'[^']*'|[^\s;&|]+|[;&|]/g) || [];
  for (let at = 0; at < quoted.length && !/^[;&|]$/.test(quoted[at]); at += 1) {
    const word = quoted[at].replace(/^["']|["']$/g, "");
    if (VALUED.test(word)) at += 1;
    else if (!word.startsWith("-") && word !== "\\") found.push(word);
  }
  return found;
}

/* The verdict on pasted requirements: {verdict, lines}. The target is that of the page's filters. */
function judgeRequirements(judge, text, target) {
  const { data } = judge, read = readRequirements(data, text, target), lines = [];
  const asked = new Map();
  for (const entry of read.entries) {
    const before = asked.get(entry.name);
    const places = before ? before.places.filter((each) => entry.places.includes(each)) : entry.places;
    asked.set(entry.name, { ...entry, places, build: entry.build || (before && before.build) || read.label || "" });
  }
  for (const each of read.notRead) lines.push({ verdict: each.verdict, text: `line ${each.line}: ${each.text} ${each.because}.` });
  const companions = data.companions.filter((name) => asked.has(name));
  if (!asked.size) return { verdict: "unknown", lines: [...lines, { verdict: "unknown", text: "The text has no requirement on torch, torchaudio, torchvision, torchcodec or torchtext for this target." }] };
  const torch = asked.get("torch") || { name: "torch", places: data.packages.torch.versions.map((_, at) => at), build: read.label, specifier: "" };
  for (const name of companions) lines.push(judgePair(judge, torch, asked.get(name), target, asked.has("torch")));
  if (!companions.length) {
    const there = installing(judge, torch, target);
    lines.push(there.length
      ? { verdict: "loads", text: `torch ${range(data, "torch", there)} installs on this target; no companion is named.` }
      : { verdict: "fails", text: `No release of torch${torch.specifier} in the data installs on this target.` });
  }
  const verdict = ["fails", "unknown", "loads"].find((each) => lines.some((line) => line.verdict === each));
  return { verdict, lines };
}

function installing(judge, entry, target) {
  return entry.places.filter((place) => judge.cells(entry.name, place, target.platform) & target.pythons);
}

const REFUSED = "pip and uv refuse the pair, because the metadata of the companion requires another torch; the libraries of both load together.";

/* One companion beside torch: every pair that the requirements allow is judged. */
function judgePair(judge, torch, entry, target, isAsked) {
  const { data } = judge, subject = `${entry.name}${entry.specifier} and torch${torch.specifier}`;
  const mine = installing(judge, entry, target), theirs = installing(judge, torch, target);
  const pinned = /==\s*[\d.]+(\+\w+)?$/.test(entry.specifier);
  if (!entry.places.length) return { verdict: "unknown", text: `${entry.name}${entry.specifier}: no such release is in the data of ${data.date}.` };
  if (isAsked && !torch.places.length) return { verdict: "unknown", text: `torch${torch.specifier}: no such release is in the data of ${data.date}.` };
  const earlier = spans(data.packages[entry.name].earlier);
  if (entry.places.every((place) => earlier.has(place))) {
    return { verdict: "unknown", text: `${entry.name}${entry.specifier}: the matrix does not cover these early releases.` };
  }
  if (!mine.length || !theirs.length) {
    const which = mine.length ? `torch${torch.specifier}` : `${entry.name}${entry.specifier}`;
    return { verdict: "fails", text: `${which}: no release installs on this Python and platform.` };
  }
  const found = [];
  for (const one of theirs) {
    for (const other of mine) {
      const judged = judgeBuilds(judge, entry, other, torch, one, target);
      if (judged) found.push({ ...judged, torch: one, release: other, allowed: judge.allows(entry.name, other, one, target.platform) });
    }
  }
  const open = found.filter((each) => each.verdict !== "fails" && each.allowed);
  if (!found.length) return { verdict: "fails", text: `${subject}: no two of these releases install together.` };
  if (!open.length) {
    const why = found.find((each) => each.verdict === "fails") || found[0];
    const refused = found.some((each) => each.verdict !== "fails");
    return { verdict: "fails", text: `${subject}: ${refused ? REFUSED : why.reason}`, judged: why };
  }
  if (found.every((each) => each.verdict === "loads")) return { verdict: "loads", text: `${subject}: ${pinned ? found[0].reason : "every pair of these releases loads."}`, judged: found[0] };
  const good = open.filter((each) => each.verdict === "loads");
  if (!good.length) return { verdict: "unknown", text: `${subject}: ${open[0].reason}`, judged: open[0] };
  const newest = newestPair(found);
  const choice = good.reduce((best, each) => (each.torch > best.torch || (each.torch === best.torch && each.release > best.release) ? each : best));
  const pair = pairInWords(data, entry.name, choice);
  if (newest && newest.verdict === "loads") return { verdict: "loads", text: `${subject}: the newest releases load together (${pair}); not every allowed pair does.`, judged: newest };
  const taken = newest && newest.verdict === "fails"
    ? `an installer takes the newest releases, ${pairInWords(data, entry.name, newest)}, which do not load together`
    : "some pairs load and others do not";
  return { verdict: "unknown", text: `${subject}: ${taken}. These load: ${pair}.`, judged: choice };
}

function pairInWords(data, name, { torch, release }) {
  return `torch ${data.packages.torch.versions[torch]} with ${name} ${data.packages[name].versions[release]}`;
}

/* The pair that an installer takes on an empty machine: the newest of each that the metadata allows. */
function newestPair(found) {
  const allowedPairs = found.filter((each) => each.allowed);
  if (!allowedPairs.length) return null;
  const torch = Math.max(...allowedPairs.map((each) => each.torch)), release = Math.max(...allowedPairs.map((each) => each.release));
  return allowedPairs.find((each) => each.torch === torch && each.release === release) || null;
}

/* A pair in the builds that a label, or the page of an index, names; else in those of the public index. */
function judgeBuilds(judge, entry, release, torch, torchRelease, target) {
  const own = entry.build || torch.build ? entry.build : "", theirs = torch.build;
  const build = own || judge.builds(entry.name, release, target.platform)[0] || "";
  const torchBuild = theirs || judge.builds("torch", torchRelease, target.platform)[0] || "";
  return judge.judge(entry.name, release, build, torchRelease, torchBuild, target.platform, target.pythons);
}

function range(data, name, places) {
  const { versions } = data.packages[name];
  const first = versions[places[0]], last = versions[places[places.length - 1]];
  return places.length === 1 ? first : `${first} to ${last}`;
}

/* A warning of Python, after which the program goes on; a line of source code in a traceback. */
const WARNED = /\b(?:User|Runtime|Future|Deprecation)?Warning: |^\s*raise /;

/* The releases that a log names as pins, one of each package: "torch==2.9.1\ntorchaudio==2.8.0"; else "". */
function pinsOfLog(data, text) {
  const found = [];
  for (const name of Object.keys(data.packages)) {
    const form = new RegExp(`(?<![\\w.-])${name}(?:==|-|[ \\t]{1,30}|: ?v?|[ \\t]version[ \\t:]{1,3})(\\d{1,3}\\.\\d{1,3}(?:\\.\\d{1,3})?(?:\\+[a-z0-9.]{1,20})?)(?![\\w.*])`, "gi");
    const versions = new Set([...text.matchAll(form)].map((each) => each[1]));
    if (versions.size === 1) found.push(`${name}==${[...versions][0]}`);
  }
  return found.length > 1 && found[0].startsWith("torch==") ? found.join("\n") : "";
}

/* A line without a meaning of its own is shown only if it names the stack, or a library of it. */
const OURS = /torch|c10|sndfile|libav|libsw/i;

/* The lines of a log that a rule knows: [{line, number, rules, meaning}], each set of rules once. */
class LogReader {
  constructor(data) {
    this.titles = data.logs.titles;
    this.prints = data.logs.prints.map(([line, beside, weight, rules]) => ({
      line: new RegExp(line, "i"), beside: beside ? new RegExp(beside, "i") : null, weight, rules,
    }));
    this.meanings = data.logs.meanings.map(([rule, line, near, system, says, because, fix, command]) => ({
      rule, line: new RegExp(line, "i"), near: near ? new RegExp(near) : null, system, says, because, fix, command,
    }));
  }

  signature(line) {
    return this.prints.find((each) => each.line.test(line) && (!each.beside || each.beside.test(line))) || null;
  }

  read(text) {
    const lines = text.split(/\r?\n/), found = [], seen = new Set();
    for (const [number, whole] of lines.entries()) {
      const line = whole.slice(0, 2000), known = WARNED.test(line) ? null : this.signature(line);
      if (!known || known.weight === "echo" || seen.has(known.rules[0])) continue;
      const meaning = this.meaning(known, line, lines, number);
      if (!meaning && !OURS.test(line)) continue;
      seen.add(known.rules[0]);
      found.push({ number: number + 1, line: line.trim(), rules: known.rules, weight: known.weight, meaning });
    }
    const real = found.filter((each) => each.weight !== "general");
    return real.length ? real : found;
  }

  meaning(known, line, lines, number) {
    const around = lines.slice(Math.max(0, number - 25), number + 25).join("\n");
    for (const each of this.meanings) {
      const match = known.rules.includes(each.rule) && each.line.exec(line);
      const near = match && each.near ? each.near.exec(around) : null;
      if (!match) continue;
      const facts = { ...match.groups, ...(near ? near.groups : {}) };
      const says = fill(each.says, facts);
      if (says !== null) return { says, because: fill(each.because, facts) || "", fix: fill(each.fix, facts) || "", command: fill(each.command, facts) || "" };
    }
    return null;
  }
}

/* A text with its facts: a part in brackets is left out if a fact in it is not known; null if another one is not. */
function fill(text, facts) {
  const name = /\{(\w{1,30})\}/g;
  const kept = text.replace(/\[([^[\]]{1,300})\]/g, (_, part) => ([...part.matchAll(name)].every((each) => facts[each[1]]) ? part : ""));
  if ([...kept.matchAll(name)].some((each) => !facts[each[1]])) return null;
  return kept.replace(name, (_, each) => facts[each]);
}

/* Whether a text is a log, and not a list of requirements. */
function isLog(text) {
  return /Traceback|^\s*File "|\b\w*(Error|Exception)\b|undefined symbol|cannot open shared object|^\$ |WARNING:|\bfailed\b/im.test(text);
}
