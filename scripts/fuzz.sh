#!/usr/bin/env bash
# fuzz.sh TIME [NAME [FLAG...]]: runs every fuzz target, or those whose name matches NAME, for TIME each, with go test's FLAGs.
# It goes on after one that fails, names those at its end, and fails if there are any.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

time=$1 name=${2:-}
shift $(($# < 2 ? $# : 2))
go=${GO:-go}
targets=$(grep -roE --include='*_test.go' "^func Fuzz\w*$name\w*\(" agent cmd discovery fsm http refresh scripts |
	sed -E 's|^(.*)/[^/]*:func (\w+)\($|./\1 \2|' | sort) || true
if [ -z "$targets" ]; then
	echo "no fuzz target matches Fuzz.*$name" >&2
	exit 1
fi

ran=0 failed=()
while read -r package target; do
	echo "$target in $package"
	ran=$((ran + 1))
	$go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$@" "$package" </dev/null || failed+=("$package $target")
done <<<"$targets"

echo "$ran fuzz targets ran for $time each, ${#failed[@]} failed"
if [ ${#failed[@]} -gt 0 ]; then
	printf '  %s\n' "${failed[@]}"
	echo "what each failed on is in testdata/fuzz/TARGET beside it: mend, and keep the file as a seed"
	exit 1
fi
