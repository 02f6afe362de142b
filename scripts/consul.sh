#!/bin/sh
# Prints the path of a consul binary on stdout: the one on PATH, else one unpacked into .cache/ from the package of
# Debian's previous release, the last that has it. Installs nothing, may be run again and by several at once.
set -eu
. "$(dirname -- "$0")/debian.sh"

version=1.8.7+dfsg1-2+b3
digest=e4e888bba104daba1d9161f49bfc52649a7e4efd45b1a7ead5bc54f2cb9c89d9 # SHA-256 of the amd64 package
binary=$cache/consul/usr/bin/consul

if command -v consul; then exit 0; fi
if [ -x "$binary" ]; then
	echo "$binary"
	exit 0
fi

begin consul
if [ -x "$binary" ]; then finish "$binary"; fi
[ "$(dpkg --print-architecture)" = amd64 ] || die "only the amd64 package is known here: put a consul on PATH"

# The machine already names the archives it may use; those that carry a Debian release as such are asked in turn.
archives=$(private_apt indextargets --no-release-info --format '$(COMPONENT) $(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
	sed -n "s/^main $(. /etc/os-release && echo "${VERSION_CODENAME:-stable}") //p" | sort -u)
[ -n "$archives" ] || die "apt is set up with no Debian archive to ask: put a consul on PATH"

for archive in $archives; do
	# The digest above is stricter than the archive's signature, and outlives the keys of an old release.
	echo "deb [trusted=yes] $archive bullseye main" >"$work/sources.list"
	if private_apt -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=- update &&
		(cd "$work" && private_apt -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=- \
			download "consul=$version"); then
		break
	fi
done
set -- "$work"/consul_*.deb
[ -f "$1" ] || die "the archive gave no consul $version"
echo "$digest  $1" | sha256sum --check --quiet || die "the consul package is not the one expected"

unpack
"$work/tree/usr/bin/consul" version >/dev/null || die "the unpacked consul does not run here"
rm -rf "$cache/consul"
mv "$work/tree" "$cache/consul"
finish "$binary"
