#!/usr/bin/env bash
# Reads four years of weather into a database and asks it a question, by the plugin `sqlite`.
# Needs cargo and nothing else; may be run from any directory.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."

echo '> cargo build --release --workspace'
cargo build --release --workspace

# `floe.toml` here says where the plugins are, unless they are built elsewhere.
floe=target/release/floe
if [ -n "${CARGO_TARGET_DIR:-}" ]; then
    floe=$CARGO_TARGET_DIR/release/floe
    export FLOE_PLUGIN_PATH=$CARGO_TARGET_DIR/release
fi

scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
config='{"path":"'$scratch'/weather.db"}'

# call NODE_TYPE INPUT: shows the call, and makes it.
call() {
    printf "\n> floe call %s --config '%s' --input '%s'\n" "$1" "$config" "$2"
    "$floe" call "$1" --config "$config" --input "$2"
}

call sqlite.import_csv '{"path":"examples/weather/seattle-weather.csv","table":"weather"}'

call sqlite.query '{"sql":"SELECT weather, count(*) AS days, round(avg(temp_max), 1) AS mean_temp_max FROM weather GROUP BY weather ORDER BY days DESC"}'

counted=$("$floe" call sqlite.query --config "$config" --json \
    --input '{"sql":"SELECT count(*) AS days FROM weather"}')
case $counted in
*'"rows":[{"days":1461}]'*) printf '\nAll 1,461 days are there.\n' ;;
*)
    printf '\nexpected 1,461 days, found %s\n' "$counted" >&2
    exit 1
    ;;
esac

printf '\n> floe run examples/weather/workflow.yaml\n'
report=$("$floe" run examples/weather/workflow.yaml --input '{"database":"'$scratch'/workflow.db"}')
printf '%s\n' "$report"
case $report in
*'- rain: 641 days, 13.5 degrees'*) ;;
*)
    printf '\nexpected 641 days of rain in the report above\n' >&2
    exit 1
    ;;
esac
