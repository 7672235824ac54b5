#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# tests/reference.sh BUILD [--write]: whether README.md has, between its two markers, what
# `BUILD/linemqd --reference` prints; --write puts it there.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=tools/common.sh
. "$root/tools/common.sh"

[ $# -eq 1 ] || { [ $# -eq 2 ] && [ "$2" = --write ]; } || usage_error "give BUILD, or BUILD --write"
build=$1
readme=$root/README.md
for marker in '<!-- linemqd --reference -->' '<!-- end of the reference -->'; do
    [ "$(grep -cxF -e "$marker" "$readme")" = 1 ] || die "README.md must have one line '$marker'"
done

expected=$(mktemp "${TMPDIR:-/tmp}/linemq-readme.XXXXXX")
trap 'rm -f "$expected" "$expected.reference"' EXIT
"$build/linemqd" --reference >"$expected.reference"
awk -v reference="$expected.reference" '
    $0 == "<!-- end of the reference -->" { inside = 0 }
    !inside { print }
    $0 == "<!-- linemqd --reference -->" {
        inside = 1
        print ""
        while ((getline line < reference) > 0)
            print line
        print ""
    }' "$readme" >"$expected"

if [ $# -eq 2 ]; then
    cat "$expected" >"$readme"
elif ! diff -u "$readme" "$expected"; then
    die "README.md differs from linemqd --reference: tests/reference.sh $build --write puts it right"
fi
