#!/usr/bin/env bash
# Proof beyond the tests: what failed before, every run of small worlds, simulated hours with all faults, every planted bug.
# Needs a build. With --minutes N it ends after about so long, and says what it had no time for: half of what is left after the
# small worlds goes to the hours, the rest to the bugs, which are then taken in another order for each commit.
set -euo pipefail
cd "$(dirname "$0")/.."

minutes=
if [ "${1-}" = --minutes ]; then minutes=$2; fi

source scripts/step.sh

seconds_left() {
  echo $((minutes * 60 - SECONDS))
}

# A part of the time that is left, one of so many, in minutes, but at least one minute.
left() {
  local seconds=$(($(seconds_left) / $1))
  awk "BEGIN { print ($seconds > 60 ? $seconds : 60) / 60 }"
}

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
  barista sim --seeds 500 ${minutes:+--minutes "$(left 2)"} --clients 8 --shrink-runs 50 --out "$made"
}

planted_bugs() {
  # What is there without bugs must pass first, which takes minutes.
  if [ -n "$minutes" ] && [ "$(seconds_left)" -lt 180 ]; then
    echo 'none were tried: the time was up'
    return
  fi
  npm run -s mutants -- --budget short ${minutes:+--minutes "$(left 1)" --shuffle "$(git rev-list --count HEAD)"}
}

made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
step 'past failing seeds' past_failures
step 'exhaustive small worlds' small_worlds
step '500 seeds of one simulated hour, all faults' simulated_hours
step 'planted bugs, each to be caught on a short budget' planted_bugs
