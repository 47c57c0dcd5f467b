"use strict";
/* Environment markers (PEP 508) of pasted requirements, for the platform and the Pythons of the filters. */

const SYSTEMS = {
  linux: { sys_platform: "linux", platform_system: "Linux", os_name: "posix" },
  macos: { sys_platform: "darwin", platform_system: "Darwin", os_name: "posix" },
  windows: { sys_platform: "win32", platform_system: "Windows", os_name: "nt" },
};
const MACHINES = { "windows-amd64": "AMD64", "windows-arm64": "ARM64" };
const TOKEN = /\s*(?:(\(|\))|(<=|>=|==|!=|~=|===|<|>|not\s+in\b|in\b)|(and|or)\b|"([^"]*)"|'([^']*)'|([a-z_]+))/y;

/* The values of a target; what a page cannot know (the kernel, a patch release of Python) is absent. */
function environmentOf(platform, minor) {
  const [system, machine] = platform.split("-");
  return {
    ...SYSTEMS[system], platform_machine: MACHINES[platform] || machine, python_version: `3.${minor}`,
    platform_python_implementation: "CPython", implementation_name: "cpython",
  };
}

/* Whether a marker holds: true, false, or null if it is not valid or asks for a value that is not known. */
function markerHolds(text, environment) {
  const tokens = tokensOf(text);
  if (!tokens) return null;
  let at = 0;
  const peek = (kind, value) => tokens[at] && tokens[at].kind === kind && (value === undefined || tokens[at].value === value);

  function either() {
    let found = both();
    while (found !== undefined && peek("word", "or")) {
      at += 1;
      const next = both();
      found = next === undefined ? undefined : found === true || next === true ? true : found === null || next === null ? null : false;
    }
    return found;
  }

  function both() {
    let found = atom();
    while (found !== undefined && peek("word", "and")) {
      at += 1;
      const next = atom();
      found = next === undefined ? undefined : found === false || next === false ? false : found === null || next === null ? null : true;
    }
    return found;
  }

  function atom() {
    if (peek("bracket", "(")) {
      at += 1;
      const found = either();
      if (!peek("bracket", ")")) return undefined;
      at += 1;
      return found;
    }
    const [left, operator, right] = tokens.slice(at, at + 3);
    if (!left || !operator || !right || operator.kind !== "operator") return undefined;
    at += 3;
    return compared(left, operator.value.replace(/\s+/, " "), right, environment);
  }

  const found = either();
  return found === undefined || at < tokens.length ? null : found;
}

/* The tokens of a marker; null if a part of it is none. */
function tokensOf(text) {
  const found = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.trimEnd().length) {
    const match = TOKEN.exec(text);
    if (!match) return null;
    const [, bracket, operator, word, double, single, name] = match;
    if (bracket) found.push({ kind: "bracket", value: bracket });
    else if (operator) found.push({ kind: "operator", value: operator });
    else if (word) found.push({ kind: "word", value: word });
    else if (name) found.push({ kind: "name", value: name });
    else found.push({ kind: "text", value: double !== undefined ? double : single });
  }
  return found;
}

/* One comparison of a name and a text; undefined if it is not one, null if the value is not known. */
function compared(left, operator, right, environment) {
  const name = left.kind === "name" ? left : right, text = left.kind === "name" ? right : left;
  if (name.kind !== "name" || text.kind !== "text") return undefined;
  const own = environment[name.value];
  if (own === undefined) return null;
  const first = left.kind === "name" ? own : text.value, second = left.kind === "name" ? text.value : own;
  if (operator === "in" || operator === "not in") {
    return second.includes(first) === (operator === "in");
  }
  if (name.value === "python_version") return satisfies(first, `${operator}${second}`);
  if (operator === "==" || operator === "===") return first === second;
  return operator === "!=" ? first !== second : null;
}

/* Whether a marker holds for each Python of a target; null if it differs, or is not known. */
function markerOnTarget(text, data, target) {
  const answers = new Set(data.pythons.filter((_, at) => target.pythons & (1 << at))
    .map((minor) => markerHolds(text, environmentOf(data.platforms[target.platform], minor))));
  return answers.size === 1 ? [...answers][0] : null;
}
