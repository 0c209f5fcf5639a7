#!/usr/bin/env bash
# Has a plugin crash and hang, and writes a report of what answered all the same.
# Needs cargo and nothing else; may be run from any directory.
#
#   run.sh [DIRECTORY]    the report goes there; to target/examples/resilience where none is given
set -euo pipefail

given=${1:+$(mkdir -p -- "$1" && cd -- "$1" && pwd)}
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."

echo '> cargo build --release --workspace'
cargo build --release --workspace

# `floe.toml` of the example says where the plugins are, unless they are built elsewhere, and that one
# of them runs in a worker.
target=$PWD/target
if [ -n "${CARGO_TARGET_DIR:-}" ]; then
    target=$(cd -- "$CARGO_TARGET_DIR" && pwd)
    export FLOE_PLUGIN_PATH=$target/release
fi

directory=${given:-$target/examples/resilience}
mkdir -p -- "$directory"
# What is on record of the run is kept beside the report, and not with the user's own.
export FLOE_STATE=$directory/state
input='{"directory":"'$directory'"}'

cd examples/resilience
printf "\n> floe run %s --input '%s'\n" workflow.yaml "$input"
report=$("$target/release/floe" run workflow.yaml --input "$input")
printf '%s\n' "$report"
case $report in
*'| crashes_once | recovered | 2 |'*'| crashes_always | recovered | 4 |'*'| hangs | failed | 1 |'*) ;;
*)
    printf '\nexpected two nodes that recovered and one that failed in the report above\n' >&2
    exit 1
    ;;
esac
printf '\nThe host is alive. The report is %s\n' "$directory/report.md"
