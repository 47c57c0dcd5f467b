"""The compatibility data (rules, releases, builds, systems, the stack), and the judge that applies the rules."""
