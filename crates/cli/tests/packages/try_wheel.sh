#!/bin/sh
# Installs a wheel into a fresh virtual environment, without a network, and types what a newcomer would type in an empty
# folder: try_wheel.sh WHEEL FOLDER
set -eu
wheel=$1
work=$2
rm -rf "$work"
mkdir -p "$work/workspace"
type_in() {
    printf '\n$ %s\n' "$*"
    "$@"
}

type_in python3 -m venv "$work/python"
PATH="$work/python/bin:$PATH"
export PATH
began=$(date +%s)
type_in pip install --quiet --disable-pip-version-check --no-index "$wheel"
echo "installed in $(($(date +%s) - began)) s: $(stat --format %s "$wheel") bytes of wheel," \
    "$(stat --format %s "$work/python/bin/throughline") bytes of program"
test "$(command -v throughline)" = "$work/python/bin/throughline"
type_in pip show --disable-pip-version-check throughline
found=$(find "$work/python/lib" -path '*throughline-*.dist-info*' -name LICENSE)
cmp "$found" "$(dirname "$0")/../../../../LICENSE"

cd "$work/workspace"
# Nothing of the tester's own environment.
unset THROUGHLINE_PROJECT LAKE WAREHOUSE || true
type_in throughline --version
type_in throughline init .
type_in throughline run
type_in throughline report
test -s report.html
type_in throughline query "SELECT count(*) AS journeys FROM fct_key_journeys" --format csv

# Exit codes are what schedulers look at.
refuses() {
    expected=$1
    shift
    printf '\n$ %s\n' "$*"
    code=0
    "$@" || code=$?
    test "$code" = "$expected" || { echo "ended with $code, not with $expected"; exit 1; }
}
refuses 2 throughline init .
refuses 2 throughline --pipeline none run
echo
echo "the wheel works: $(du --summarize --human-readable report.html | cut -f1) of report.html"
