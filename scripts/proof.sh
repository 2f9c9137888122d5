#!/usr/bin/env bash
# Proof beyond the tests: what failed before, every run of small worlds, simulated hours with all faults, every planted bug.
# Needs a build. With --short, fewer hours and no planted bugs: what CI does also on a slow machine.
set -euo pipefail
cd "$(dirname "$0")/.."

seeds=500
if [ "${1-}" = --short ]; then seeds=40; fi

source scripts/step.sh

barista() {
  node dist/src/cli/main.js "$@"
}

past_failures() {
  local script
  for script in tests/sim/seeds/*.txt; do
    echo "$script"
    barista master --world simulated "$script"
  done
}

small_world() {
  barista sim --exhaustive "$@" | tee "$made/world"
  grep -q ', complete$' "$made/world"
}

small_worlds() {
  small_world --program 'put k, put k' --program 'put k' --fault-count 0
  small_world --program 'put k, put k' --fault-count 1 --fault-kinds cut,crash,lose
}

simulated_hours() {
  barista sim --seeds "$seeds" --clients 8 --shrink-runs 50 --out "$made"
}

made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
step 'past failing seeds' past_failures
step 'exhaustive small worlds' small_worlds
step "$seeds seeds of one simulated hour, all faults" simulated_hours
if [ "${1-}" != --short ]; then step 'planted bugs, each to be caught on a short budget' npm run -s mutants -- --budget short; fi
