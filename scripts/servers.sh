#!/bin/sh
# Installs the real servers that the probers' tests start, without letting any of them start as a system service, and the tools
# by which tests break peers, from this Debian release's packages. What is already there is left as it is; nothing is done
# when all are. Needs root to install.
set -eu

packages=
# need PACKAGE PATTERN... asks for a package unless one of the patterns names a file.
need() {
	package=$1
	shift
	for file in "$@"; do
		if [ -e "$file" ]; then return; fi
	done
	packages="$packages $package"
}
need postgresql /usr/lib/postgresql/*/bin/postgres
need mariadb-server /usr/sbin/mariadbd
need zookeeper /usr/share/zookeeper/bin/zkServer.sh
need default-jre-headless /usr/bin/java
need etcd-server /usr/bin/etcd
need nats-server /usr/sbin/nats-server /usr/bin/nats-server
need rabbitmq-server /usr/sbin/rabbitmq-server
need memcached /usr/bin/memcached
need prometheus /usr/bin/promtool
# What puts peers on hosts of their own and tampers with their disks.
need iproute2 /usr/sbin/ip /sbin/ip
need nftables /usr/sbin/nft
# What the documentation has readers use.
need curl /usr/bin/curl
need jq /usr/bin/jq
need strace /usr/bin/strace
# What judges the units of the package, and completes names.
need systemd /usr/bin/systemd-analyze
need bash-completion /usr/share/bash-completion/bash_completion
need zsh /usr/bin/zsh
need fish /usr/bin/fish

[ -n "$packages" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	echo "$0: install these packages of Debian's, or what they hold:$packages" >&2
	exit 1
fi

# Package scripts ask policy-rc.d whether they may start what they installed.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
	trap 'rm -f "$policy"' EXIT
fi
apt-get -q update
# shellcheck disable=SC2086 # a list of package names, one word each
DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $packages
