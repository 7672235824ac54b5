#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs what is missing, builds, and runs every test. The last line is
# `N passed, M failed, K skipped`; a program of which nothing ran counts as failed.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=tools/common.sh
. "$root/tools/common.sh"

help() {
    cat <<END
Usage: sudo tests/run.sh [OPTION...] [ARGUMENT...]

Installs what is missing, builds a release and one with AddressSanitizer and UBSan, and runs all
tests on both, the fuzz targets for some seconds each, and the checks of the sources.

  --quick        leave out the acceptance test with 5,000 clients, the system tests of the sanitised
                 build, clang-tidy, and most of the fuzzing
  --no-install   install nothing
  --install-only install, then stop
  --help

Any ARGUMENT goes to \`meson test\`, on the release build, and only that is run:

  tests/run.sh --suite unit
  tests/run.sh topics-4 -v

The system tests make network namespaces of their own and need root. Builds: build (release),
build-sanitize, build-fuzz. Exit status: 0 all passed, 1 not, 2 wrong usage.
END
}

test_packages=(
    libcmocka-dev libmosquitto-dev python3-paho-mqtt node-mqtt iputils-ping strace
    clang clang-format clang-tidy libclang-rt-14-dev shellcheck
)
install=yes
install_only=no
quick=no
given=("$@")
while [ $# -gt 0 ]; do
    case $1 in
    --help | -h)
        help
        exit 0
        ;;
    --no-install) install=no ;;
    --install-only) install_only=yes ;;
    --quick) quick=yes ;;
    *) break ;;
    esac
    shift
done

# What looks like an option and is none of meson's is a mistake, to be told before anything is built.
for word in "$@"; do
    case ${word%%=*} in
    --suite | --no-suite | --repeat | --maxfail | --list | --gdb | --gdb-path | --wrapper | \
        --benchmark | --logbase | --num-processes | --verbose | --quiet | --no-stdsplit | \
        --timeout-multiplier | --setup | --test-args | -v | -q | -t | -t[0-9]*) ;;
    -*) usage_error "unknown option $word" ;;
    esac
done

cd "$root"
require_root "${given[@]}"
if [ "$install" = yes ]; then
    install_packages "${build_packages[@]}" "${run_packages[@]}" "${test_packages[@]}"
else
    require_build_tools
fi
[ "$install_only" = no ] || exit 0
require_tun

seconds=20
[ "$quick" = no ] || seconds=4
results=$(mktemp "${TMPDIR:-/tmp}/linemq-results.XXXXXX")
output=$(mktemp "${TMPDIR:-/tmp}/linemq-output.XXXXXX")
trap 'rm -f "$results" "$output"' EXIT

# step NAME COMMAND...: one check; what it prints is shown when it fails.
step() {
    local name=$1 began=$SECONDS verdict=ok
    shift
    "$@" >"$output" 2>&1 || verdict='not ok'
    [ "$verdict" = ok ] || tail -n 100 "$output"
    printf '%-6s  %s (%d s)\n' "$verdict" "$name" $((SECONDS - began))
    printf '%s\n' "$verdict" >>"$results"
}

# suite DIRECTORY ARGUMENT...: meson test, counted case by case.
suite() {
    local directory=$1 began=$SECONDS
    shift
    say "meson test -C $directory $*"
    rm -f "$directory/meson-logs/testlog.json"
    meson test -C "$directory" --no-rebuild --timeout-multiplier 4 --print-errorlogs "$@" || true
    /usr/bin/python3 tests/tally.py "$directory/meson-logs/testlog.json" >>"$results"
    printf '(%d s)\n' $((SECONDS - began))
}

finish() {
    local passed failed skipped
    passed=$(grep -c '^ok' "$results" || true)
    failed=$(grep -c '^not ok' "$results" || true)
    skipped=$(grep -c '^skipped' "$results" || true)
    grep '^skipped\|^not ok .*: ' "$results" | sort | uniq -c || true
    printf 'took %d s\n' "$SECONDS"
    printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
    [ "$failed" -eq 0 ]
    exit
}

# sources PATTERN...: files of the tree, not of builds.
sources() {
    local pattern names=()
    for pattern in "$@"; do
        names+=(-o -name "$pattern")
    done
    find . -type d \( -name 'build*' -o -name .git \) -prune -o -type f \( "${names[@]:1}" \) -print0
}

check_format() {
    sources '*.c' '*.h' '*.cc' | xargs -0 clang-format --dry-run -Werror
}

check_shell() {
    { sources '*.sh'; printf '.ci/run\0'; } | xargs -0 shellcheck -x
}

# The product's sources; for tests and benchmarks the compiler's warnings are enough.
check_tidy() {
    run-clang-tidy -quiet -p build -j "$(nproc)" '/(control|dataplane|drivers|tools)/' 2>/dev/null |
        grep -v '^clang-tidy'
    return "${PIPESTATUS[0]}"
}

# fuzz TARGET FOUND SEEDS: what is found goes to another directory than the seeds.
fuzz() {
    "build-fuzz/$1" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -artifact_prefix="$2/" "$2" "$3"
}

# fuzzed PROCESS FOUND: its verdict. What made it fail stays in FOUND.
fuzzed() {
    wait "$1" || {
        cat "$2.log"
        return 1
    }
    rm -r "$2" "$2.log"
}

# build COMMAND...: a build that fails is the one failed test of the run.
build() {
    local began=$SECONDS
    if ! ("$@"); then
        printf 'not ok\n' >>"$results"
        finish
    fi
    printf 'ok      %s (%d s)\n' "$*" $((SECONDS - began))
}

build configure build --buildtype=release -Dtests=true
build compile build
if [ $# -gt 0 ]; then
    suite build "$@"
    finish
fi
build configure build-sanitize --buildtype=debugoptimized -Doptimization=1 -Dtests=true \
    -Db_sanitize=address,undefined
build compile build-sanitize
export CC=clang CXX=clang++
build configure build-fuzz --buildtype=debugoptimized -Dtests=true -Dfuzz=true -Db_lundef=false \
    -Db_sanitize=address,undefined -Dc_args=-fsanitize=fuzzer-no-link
unset CC CXX
mapfile -t targets < <(meson introspect build-fuzz --targets | /usr/bin/python3 -c '
import json, sys
for target in json.load(sys.stdin):
    if target["name"].endswith("_fuzz"):
        print("tests/fuzz/" + target["name"])')
build compile build-fuzz "${targets[@]}"

step "formatted as .clang-format says" check_format
step "shellcheck" check_shell
step "README.md has the reference of all configuration keys" tests/reference.sh build
step "the dataplane calls nothing that blocks, allocates or locks" tests/discipline.sh build
if [ "$quick" = no ]; then
    step "clang-tidy" check_tidy
fi

# All at once: one process fuzzes on one CPU.
declare -A found=() fuzzing=()
for target in "${targets[@]}"; do
    name=${target##*/}
    found[$name]=$(mktemp -d "${TMPDIR:-/tmp}/linemq-corpus.XXXXXX")
    fuzz "$target" "${found[$name]}" "tests/fuzz/corpus/${name%_fuzz}" >"${found[$name]}.log" 2>&1 &
    fuzzing[$name]=$!
done
for name in "${!fuzzing[@]}"; do
    step "$name for $seconds s" fuzzed "${fuzzing[$name]}" "${found[$name]}"
done

if [ "$quick" = yes ]; then
    suite build --no-suite acceptance
    suite build-sanitize --no-suite system
else
    suite build
    suite build-sanitize
fi
finish
