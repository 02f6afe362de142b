#!/bin/sh
# Prints the path of a prometheus binary on stdout: the one on PATH, else one unpacked into .cache/ from this Debian
# release's package. Installs nothing and so starts no system service; may be run again and by several at once.
set -eu
. "$(dirname -- "$0")/debian.sh"

binary=$cache/prometheus/usr/bin/prometheus

if command -v prometheus; then exit 0; fi
if [ -x "$binary" ]; then
	echo "$binary"
	exit 0
fi

begin prometheus
if [ -x "$binary" ]; then finish "$binary"; fi

private_apt update
# The program alone: it is linked against nothing but libc, and what else its package wants is for a system service.
(cd "$work" && private_apt download prometheus)
unpack
"$work/tree/usr/bin/prometheus" --version || die "the unpacked prometheus does not run here"
rm -rf "$cache/prometheus"
mv "$work/tree" "$cache/prometheus"
finish "$binary"
