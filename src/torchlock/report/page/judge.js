"use strict";
/* The judge of the page: the same answers as src/torchlock/matrix/judging.py, from the tables in the page.
   Nothing here touches the document. tests/test_matrix_browser.py compares both judges. */

const VERDICTS = ["loads", "fails", "unknown"];
const TORCH = 0, CUDA = 1, CUDA_MAJOR = 2, NEVER = 3;

/* "0-5 7" as a Set of numbers; each text is read once. */
const spanCache = new Map();
function spans(text) {
  let found = spanCache.get(text);
  if (!found) {
    found = new Set();
    for (const run of text ? text.split(" ") : []) {
      const [first, last = first] = run.split("-").map(Number);
      for (let each = first; each <= last; each += 1) found.add(each);
    }
    spanCache.set(text, found);
  }
  return found;
}

class Judge {
  constructor(data) {
    this.data = data;
    this.proofs = new Map();
  }

  /* The value of a row for one platform: rows of equal values are stored as one value. */
  at(row, platform) {
    return Array.isArray(row) ? row[platform] : row;
  }

  /* The Pythons (a mask) on which a release installs. */
  cells(name, release, platform) {
    return this.at(this.data.packages[name].cells[release], platform);
  }

  /* The known builds of a release, that of the public index first; "" is a build that is not known. */
  builds(name, release, platform) {
    return this.data.builds[this.at(this.data.packages[name].builds[release], platform)];
  }

  /* The builds that are asked for: "pypi", "all" or a label. */
  wanted(name, release, platform, build) {
    const known = this.builds(name, release, platform);
    if (build === "all") return known;
    if (build === "pypi" || this.data.packages[name].labels === false) return known.slice(0, 1);
    return known.includes(build) ? [build] : [];
  }

  /* Whether the metadata of a companion allows a torch. */
  allows(name, release, torch, platform) {
    return spans(this.at(this.data.packages[name].allowed[release], platform)).has(torch);
  }

  /* The judgement of a pair of builds on some Pythons (a mask); null if the two never install together there. */
  judge(name, release, build, torch, torchBuild, platform, pythons = -1) {
    const shared = this.cells(name, release, platform) & this.cells("torch", torch, platform) & pythons;
    if (!shared) return null;
    const pair = {
      name, build, torchBuild,
      platform: this.data.platforms[platform],
      version: this.data.packages[name].versions[release],
      torch: this.data.packages.torch.versions[torch],
      isPublic: build === this.builds(name, release, platform)[0]
        && torchBuild === this.builds("torch", torch, platform)[0],
    };
    const facts = this.at(this.data.packages[name].facts[release], platform);
    const proofs = this.proof(pair, release, torch, platform);
    if (typeof facts === "object" || proofs.some((each) => each.mask !== -1)) return this.byPython(pair, torch, facts, proofs, shared);
    return this.decide(pair, torch, facts, proofs[0] && proofs[0].judged);
  }

  /* A proof decides; where it does not, rules that were measured decide for "loads"; else it is unknown. */
  decide(pair, torch, facts, proof) {
    if (proof && proof.verdict !== "unknown") return proof;
    const found = this.byRules(pair, torch, facts);
    if (!proof || (found.verdict === "loads" && found.kind === "measured")) return found;
    return found.verdict === "fails" ? this.documented(proof, found) : proof;
  }

  /* A pair whose wheels do not decide, and of which a rule says that it fails. */
  documented(proof, found) {
    const reason = `${proof.reason.replace(/\.$/, "")}. It is documented as failing: ${found.reason}`;
    return { ...proof, reason, rule: found.rule, sources: [...new Set([...proof.sources, ...found.sources])] };
  }

  /* A release whose wheels for different Pythons are made for different torches: unknown unless all agree. */
  byPython(pair, torch, facts, proofs, shared) {
    const found = new Map(), varies = typeof facts === "object";
    for (const [at, minor] of this.data.pythons.entries()) {
      if (!(shared & (1 << at))) continue;
      const proof = proofs.find(({ mask }) => mask & (1 << at) && (mask !== -1 || !varies));
      const judged = this.decide(pair, torch, varies ? facts.p[at] : facts, proof && proof.judged);
      const key = JSON.stringify(judged);
      if (!found.has(key)) found.set(key, { judged, pythons: [] });
      found.get(key).pythons.push(`3.${minor}`);
    }
    const answers = [...found.values()];
    if (answers.length === 1) return answers[0].judged;
    if (new Set(answers.map(({ judged }) => judged.verdict)).size === 1) {
      const reasons = answers.map(({ judged, pythons }) => `On Python ${pythons.join(", ")}: ${judged.reason}`);
      return { ...answers[0].judged, reason: reasons.join(" ") };
    }
    const said = answers.map(({ judged, pythons }) => `${judged.verdict} on Python ${pythons.join(", ")}`);
    return judgement("unknown", "", `It depends on the Python: ${said.join("; ")}.`);
  }

  /* The judgement of the rules; a release that no rule was written for does not load because of a range. */
  byRules(pair, torch, place) {
    const found = this.byStatements(pair, torch, place);
    for (const [name, version] of [["torch", pair.torch], [pair.name, pair.version]]) {
      const reasons = this.data.packages[name].unproven[version] || {};
      const because = reasons[""] || reasons[pair.platform];
      if (because && found.verdict === "loads") return judgement("unknown", "", `${name} ${version} is unproven: ${because}.`);
    }
    return found;
  }

  byStatements(pair, torch, place) {
    const { data } = this;
    const facts = place < 0 ? [] : data.sets[place].map((each) => data.facts[each]);
    const mine = facts.filter((fact) => this.isAbout(fact[3], pair.build));
    const needsLibrary = (fact) => fact[0] === NEVER && fact[2] !== "";
    const violated = mine.filter((fact) => this.isBroken(fact, pair, torch));
    const broken = violated.find((fact) => !needsLibrary(fact)) || violated[0];
    if (broken) return this.failure(broken, pair);
    if (!pair.build || !pair.torchBuild) {
      const which = pair.build ? `torch ${pair.torch}` : `${pair.name} ${pair.version}`;
      return judgement("unknown", "", `The build of ${which} is not known.`);
    }
    const fitting = mine.filter((fact) => fact[8] && fact[0] === TORCH && spans(fact[1]).has(torch));
    const positive = fitting.find((fact) => fact[3]) || fitting[0];
    if (!positive) {
      return judgement("unknown", "", `No rule is about ${pair.name} ${pair.version} and torch ${pair.torch}.`);
    }
    return this.byLabels(pair) || this.success(positive, pair);
  }

  /* Whether a statement about "cuda", "cpu" or one label is about this build. */
  isAbout(stated, build) {
    if (!stated) return true;
    if (!build) return false;
    return stated === "cuda" || stated === "cpu" ? build.slice(0, 2) === stated.slice(0, 2) : build === stated;
  }

  isBroken(fact, pair, torch) {
    const [kind, fits] = fact;
    if (kind === NEVER) return true;
    if (kind === TORCH) return !spans(fits).has(torch);
    const mine = this.cuda(pair.build), theirs = this.cuda(pair.torchBuild);
    if (mine === null || theirs === null) return false;
    if (theirs === "0") return true;
    return kind === CUDA ? mine !== theirs : mine.split(".")[0] !== theirs.split(".")[0];
  }

  /* "13.0"; "0" for a build without CUDA; null if it is not known. */
  cuda(label) {
    const known = label ? this.data.labels[label] : undefined;
    if (!known || !known[0]) return null;
    return known[0] === "cuda" ? known[3] : "0";
  }

  failure(fact, pair) {
    const subject = `${pair.name} ${pair.version}`;
    const library = fact[0] === NEVER ? fact[2] : "";
    let said = library ? `${subject} does not load without ${library}` : `${subject} does not load with any torch`;
    if (fact[0] === TORCH) said = `${subject} needs torch${fact[2]}`;
    else if (fact[0] !== NEVER) {
      const cuda = this.cuda(pair.build);
      const needed = fact[0] === CUDA ? cuda : cuda.split(".")[0];
      said = `${subject} needs a torch that is built for CUDA ${needed}`;
    }
    return this.ofFact(library ? "unknown" : "fails", fact, `${said}, because ${this.data.texts[fact[6]]}.`);
  }

  success(fact, pair) {
    const because = this.data.texts[fact[6]];
    return this.ofFact("loads", fact,
      `${pair.name} ${pair.version} needs torch${fact[2]}, because ${because}; torch ${pair.torch} is such a release.`);
  }

  ofFact(verdict, fact, reason) {
    return judgement(verdict, this.data.kinds[fact[4]], reason, fact[5], "", fact[7]);
  }

  /* A failure, or an unknown, that follows from the labels of both builds. */
  byLabels(pair) {
    if (!this.data.packages[pair.name].labels || pair.build === pair.torchBuild) return null;
    const mine = this.data.labels[pair.build], theirs = this.data.labels[pair.torchBuild];
    if (!mine || !theirs || !mine[0] || !theirs[0]) return null;
    const sameMajor = mine[0] === "cuda" && theirs[0] === "cuda" && mine[1] === theirs[1];
    const subject = `${pair.name} ${pair.version}`, torch = `torch ${pair.torch}`;
    if (mine[0] !== "cpu" && !sameMajor) {
      const [rule, kind, because, sources] = this.data.mismatch;
      const said = `${builtFor(subject, mine[2])}, and ${builtFor(torch, theirs[2])}; ${because}.`;
      return judgement("fails", this.data.kinds[kind], said, rule, "", sources);
    }
    if (!pair.isPublic && (mine[0] === "cpu" || theirs[0] === "rocm" || theirs[0] === "xpu")) {
      return judgement("unknown", "", `No source covers the ${mine[2]} of ${subject} beside ${torch} for ${theirs[2]}.`);
    }
    return null;
  }

  /* The proofs for exactly these two builds: [{mask, judged}], most often none or one. */
  proof(pair, release, torch, platform) {
    const key = `${pair.name} ${platform}`;
    if (!this.proofs.has(key)) this.proofs.set(key, this.readProofs(pair.name, platform));
    return this.proofs.get(key).get(`${release} ${pair.build} ${torch} ${pair.torchBuild}`) || [];
  }

  readProofs(name, platform) {
    const { proofs } = this.data, found = new Map();
    for (const [release, build, wheel, mask, ...runs] of (proofs.pairs[name] || {})[platform] || []) {
      for (let at = 0; at < runs.length; at += 4) {
        const [first, last, place, torches] = runs.slice(at, at + 4);
        for (let torch = first; torch <= last; torch += 1) {
          const [torchBuild, ...wheels] = proofs.torches[torches[torch - first]];
          const key = `${release} ${build} ${torch} ${torchBuild}`;
          if (!found.has(key)) found.set(key, []);
          found.get(key).push({ mask, judged: this.proven(place, [wheel, ...wheels]) });
        }
      }
    }
    return found;
  }

  proven(place, wheels) {
    const { proofs, kinds } = this.data, [verdict, kind, reason, symbol, sources] = proofs.judgements[place];
    const judged = judgement(VERDICTS[verdict], kinds[kind], proofs.texts[reason], "",
      symbol < 0 ? "" : proofs.texts[symbol], sources);
    judged.evidence = wheels.map((each) => proofs.wheels[each]);
    return judged;
  }

  /* Whether a build of torch runs on a GPU with a driver: {answer: yes|no|unknown, because}. */
  fitness(torch, build, platform, gpu, driver) {
    const found = [];
    if (gpu) {
      found.push(this.code(torch, build, platform, gpu));
      const refused = this.refused(gpu, driver);
      if (refused) found.push({ answer: "no", because: refused });
    }
    if (driver) found.push(this.driver(build, platform, driver));
    const order = ["no", "unknown", "yes"];
    return found.sort((one, other) => order.indexOf(one.answer) - order.indexOf(other.answer))[0] || null;
  }

  code(torch, build, platform, arch) {
    if (build === "cpu") return { answer: "yes", because: "it needs no GPU, and uses none" };
    const { machines, packages } = this.data;
    const gpu = machines.gpus.find((each) => each[0] === arch);
    const label = this.data.labels[build];
    if (!build || !label) return { answer: "unknown", because: "its build is not known" };
    if (label[0] !== gpu[2]) return { answer: "no", because: `it does not support ${vendor(gpu[2])} GPUs` };
    const place = machines.code[`${packages.torch.versions[torch]} ${platform} ${build}`];
    if (place === undefined) return { answer: "unknown", because: "the code in this build is not known" };
    const same = machines.gpus.filter((each) => each[2] === gpu[2]);
    const row = machines.answers[place], at = 2 * same.indexOf(gpu);
    return { answer: ["no", "yes", "unknown"][row[at]], because: machines.texts[row[at + 1]] };
  }

  /* Why an NVIDIA driver does not support a GPU; "" if it does, or if that is not known. */
  refused(arch, driver) {
    const own = numbers(driver), gpu = this.data.machines.gpus.find((each) => each[0] === arch);
    if (!own || gpu[2] !== "cuda" || gpu[5]) return "";
    const [, title, , first, last] = gpu;
    if ((first === null || own[0] >= first) && (last === null || own[0] <= last)) return "";
    const limits = [first && `R${first} is the first branch`, last && `R${last} is the last branch`];
    return `driver ${driver} does not support ${arch}: ${limits.filter(Boolean).join(" and ")} for ${title}`;
  }

  driver(build, platform, driver) {
    const label = this.data.labels[build];
    if (label && label[0] && label[0] !== "cuda") return { answer: "yes", because: "it needs no NVIDIA driver" };
    const system = this.data.platforms[platform].split("-")[0];
    const floors = this.data.machines.drivers[build] || {};
    const own = numbers(driver), floor = floors[system];
    if (!own || !floor) return { answer: "unknown", because: `no driver is known for ${build || "it"} on ${system}` };
    if (compare(own, numbers(floor)) >= 0) return { answer: "yes", because: `driver ${driver} is new enough` };
    const below = floors[`${system}_below`];
    if (below && compare(own, numbers(below)) >= 0) {
      return { answer: "unknown", because: `sources disagree about drivers from ${below} to ${floor}` };
    }
    return { answer: "no", because: `builds for ${build} need driver ${floor} or newer` };
  }
}

function judgement(verdict, kind, reason, rule = "", symbol = "", sources = []) {
  return { verdict, kind, reason, rule, symbol, sources, evidence: [] };
}

function builtFor(subject, words) {
  return words.includes("build") ? `${subject} is the ${words}` : `${subject} is built for ${words}`;
}

function vendor(kind) {
  return { cuda: "NVIDIA", rocm: "AMD", xpu: "Intel" }[kind];
}

/* The components of a version of a driver; null if it is not one. */
function numbers(text) {
  if (!/^\d{1,5}(\.\d{1,5}){0,3}$/.test(text || "")) return null;
  return text.split(".").map(Number);
}

function compare(one, other) {
  for (let each = 0; each < Math.max(one.length, other.length); each += 1) {
    const difference = (one[each] || 0) - (other[each] || 0);
    if (difference) return difference;
  }
  return 0;
}
