#!/usr/bin/env bash
# Reads four years of weather into a database, and writes a report of them.
# Needs cargo and nothing else; may be run from any directory.
#
#   run.sh [DIRECTORY]    the report goes there; to target/examples/weather where none is given
set -euo pipefail

given=${1:+$(mkdir -p -- "$1" && cd -- "$1" && pwd)}
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."

echo '> cargo build --release --workspace'
cargo build --release --workspace

# `floe.toml` here says where the plugins are, unless they are built elsewhere.
target=$PWD/target
if [ -n "${CARGO_TARGET_DIR:-}" ]; then
    target=$(cd -- "$CARGO_TARGET_DIR" && pwd)
    export FLOE_PLUGIN_PATH=$target/release
fi

directory=${given:-$target/examples/weather}
mkdir -p -- "$directory"
# What is on record of the run is kept beside the report, and not with the user's own.
export FLOE_STATE=$directory/state
input='{"directory":"'$directory'"}'

printf "\n> floe run %s --input '%s'\n" examples/weather/workflow.json "$input"
report=$("$target/release/floe" run examples/weather/workflow.json --input "$input")
printf '%s\n' "$report"
case $report in
*': 1461 days.'*) ;;
*)
    printf '\nexpected 1,461 days in the report above\n' >&2
    exit 1
    ;;
esac
printf '\nAll 1,461 days are there. The report is %s\n' "$directory/report.md"
