#!/bin/sh
# deb.sh VERSION MUSTER DIR writes DIR/muster_VERSION_ARCH.deb around a program that "make build" made, and prints its path.
# The architecture is the program's. One program, version and SOURCE_DATE_EPOCH (default: the last commit's time) give the
# same bytes anywhere. Who packs it for others says with MAINTAINER="NAME <ADDRESS>" whom they may ask. Needs dpkg-deb and Go,
# and no root.
set -eu

version=${1#v} program=$2 out=$3
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..

case $version in
[0-9]*) ;;
*) version=0.0.0~$version ;; # a package's version begins with a digit, and sorts before any release
esac
version=$(printf %s "$version" | sed 's/-rc/~rc/; s/-/+/g')

arch=$(go version -m "$program" | sed -n 's/^[[:space:]]*build[[:space:]]*GOARCH=//p')
case $arch in
amd64 | arm64) ;;
*)
	echo "$0: $program is for \"$arch\"; there are packages for amd64 and arm64" >&2
	exit 1
	;;
esac
if ! go version -m "$program" | grep -q 'GOOS=linux$'; then
	echo "$0: $program is not for Linux" >&2
	exit 1
fi
maintainer=${MAINTAINER:-muster authors <musterhq@users.noreply.github.com>}
case $maintainer in
?*' <'?*@?*'>') ;;
*)
	echo "$0: MAINTAINER \"$maintainer\" is not of the form NAME <ADDRESS>" >&2
	exit 1
	;;
esac
epoch=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH="$epoch"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tree
chmod 755 "$work"
umask 022
put() { install -D -m "$1" "$2" "$tree/$3"; }

put 755 "$program" usr/bin/muster
for unit in muster.service muster-sidecar@.service; do
	sed 's|/usr/local/bin/|/usr/bin/|' "$root/scripts/systemd/$unit" >"$work/unit"
	put 644 "$work/unit" "usr/lib/systemd/system/$unit"
done
put 644 "$here/debian/agent.hcl" etc/muster/agent.hcl
put 644 "$root/scripts/systemd/muster-sidecar-redis.env" usr/share/doc/muster/examples/sidecar-redis.env
put 644 "$here/debian/copyright" usr/share/doc/muster/copyright
gzip -9n <"$root/CHANGELOG.md" >"$work/changelog"
put 644 "$work/changelog" usr/share/doc/muster/changelog.gz

# The shells' completions are written by the program, or by one for this machine where it is for another.
speaks=$program
if [ "$arch" != "$(go env GOHOSTARCH)" ] || [ "$(go env GOHOSTOS)" != linux ]; then
	speaks=$work/muster
	(cd "$root" && GOOS='' GOARCH='' CGO_ENABLED=0 go build -trimpath -o "$speaks" ./cmd/muster)
fi
"$speaks" completion bash >"$work/bash"
"$speaks" completion zsh >"$work/zsh"
"$speaks" completion fish >"$work/fish"
put 644 "$work/bash" usr/share/bash-completion/completions/muster
put 644 "$work/zsh" usr/share/zsh/vendor-completions/_muster
put 644 "$work/fish" usr/share/fish/vendor_completions.d/muster.fish

size=$(find "$tree" -type f -exec cat {} + | wc -c)
control=$tree/DEBIAN
mkdir "$control"
awk -v version="$version" -v arch="$arch" -v size="$(((size + 1023) / 1024))" -v maintainer="$maintainer" '
	$1 == "Version:" { $2 = version }
	$1 == "Architecture:" { $2 = arch }
	$1 == "Installed-Size:" { $2 = size }
	$1 == "Maintainer:" { $0 = $1 " " maintainer }
	{ print }' "$here/debian/control" >"$control/control"
install -m 644 "$here/debian/conffiles" "$control/conffiles"
install -m 755 "$here/debian/postinst" "$here/debian/prerm" "$here/debian/postrm" "$control/"
(cd "$tree" && find etc usr -type f | LC_ALL=C sort | xargs md5sum) >"$control/md5sums"

find "$tree" -exec touch -h -d "@$epoch" {} +
mkdir -p "$out"
deb=$out/muster_${version}_$arch.deb
# gzip, which one thread packs to the same bytes everywhere and every dpkg unpacks.
dpkg-deb --root-owner-group -Zgzip -z6 --build "$tree" "$deb" >/dev/null
echo "$deb"
