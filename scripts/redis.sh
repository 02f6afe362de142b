#!/bin/sh
# Prints the path of a redis-server on stdout: the one on PATH, else one unpacked into .cache/ from this Debian
# release's packages, with the shared libraries the machine lacks beside it. Installs nothing and so starts no
# system service; may be run again and by several at once.
set -eu
. "$(dirname -- "$0")/debian.sh"

launcher=$cache/redis/redis-server

if command -v redis-server; then exit 0; fi
# Asking for the version also notices a machine whose own libraries have changed under the unpacked tree.
runs() { [ -x "$launcher" ] && "$launcher" --version >/dev/null 2>&1; }
if runs; then
	echo "$launcher"
	exit 0
fi

begin redis
if runs; then finish "$launcher"; fi

private_apt update
# What apt would install is the server and exactly those of its dependencies that this machine lacks.
packages=$(private_apt --simulate --no-install-recommends install redis-server | sed -n 's/^Inst \([^ ]*\) .*/\1/p')
[ -n "$packages" ] || die "apt found no way to install redis-server"
# shellcheck disable=SC2086 # a list of package names, one word each
(cd "$work" && private_apt download $packages)

unpack
libraries=$(cd "$work/tree" && find . -name '*.so*' -exec dirname {} \; | sort -u | sed 's,^\.,$here,' | paste -s -d : -)
cat >"$work/tree/redis-server" <<END
#!/bin/sh
here=\$(CDPATH='' cd -- "\$(dirname -- "\$0")" && pwd)
export LD_LIBRARY_PATH="$libraries"
exec "\$here/usr/bin/redis-server" "\$@"
END
chmod 755 "$work/tree/redis-server"
"$work/tree/redis-server" --version || die "the unpacked redis-server does not run here"
rm -rf "$cache/redis"
mv "$work/tree" "$cache/redis"
finish "$launcher"
