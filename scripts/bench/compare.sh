#!/bin/sh
# Compares the Go benchmarks of this tree, changes that are not committed included, with those of a commit:
#
#     scripts/bench/compare.sh COMMIT [PACKAGES [BENCHMARKS [COUNT]]]
#     scripts/bench/compare.sh HEAD ./fsm Beat 10
#
# Both run in turns, so that what else the machine does meets both alike. Defaults: ./..., all benchmarks, 6 rounds; with
# fewer than 6 benchstat tells no difference from noise. The commit is checked out in a worktree of its own, which is
# removed afterwards.
set -eu

base=${1:?which commit to compare with}
packages=${2:-./...}
benchmarks=${3:-.}
count=${4:-6}

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
cd "$root"
git rev-parse --quiet --verify "$base^{commit}" >/dev/null || { echo "compare.sh: there is no commit $base" >&2; exit 1; }

work=$(mktemp -d)
trap 'git worktree remove --force "$work/base" 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
git worktree add --quiet --detach "$work/base" "$base"

# run FOLDER FILE adds one round of a tree to a file of results. What did not build or failed is shown.
run() {
	# shellcheck disable=SC2086 # packages may be several
	if ! (cd "$1" && go test -run '^$' -bench "$benchmarks" -benchmem -count 1 -timeout 30m $packages) >"$work/round" 2>&1; then
		cat "$work/round" >&2
		echo "compare.sh: the benchmarks of $1 failed" >&2
		exit 1
	fi
	cat "$work/round" >>"$2"
}

round=0
while [ "$round" -lt "$count" ]; do
	round=$((round + 1))
	echo "round $round of $count" >&2
	run "$work/base" "$work/before"
	run "$root" "$work/after"
done
grep -q '^Benchmark' "$work/after" || { echo "compare.sh: no benchmark matches $benchmarks in $packages" >&2; exit 1; }
go tool -modfile=tools/go.mod benchstat "$base=$work/before" "tree=$work/after"
