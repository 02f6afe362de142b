# Sourced by the scripts that take one program out of Debian packages without installing anything: files go to
# .cache/ (which git ignores), apt works on lists and a cache of its own, and neither root nor the system's package
# state is needed or touched. Call begin first; what is then printed goes to stderr, so that stdout carries only
# the answer given to finish.

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cache=$root/.cache

die() {
	echo "$(basename -- "$0"): $*" >&2
	exit 1
}

# begin NAME waits for any other run for the same NAME and opens an empty work folder, $work. It leaves stdout on
# descriptor 3. Callers look in the cache once more afterwards: the other run may have filled it.
begin() {
	exec 3>&1 1>&2
	for need in apt-get dpkg flock; do
		command -v "$need" >/dev/null || die "no $1 on PATH, and without $need it cannot be had from Debian: install $1"
	done
	mkdir -p "$cache"
	exec 9>"$cache/$1.lock"
	flock -w 600 9 || die "another run has held $cache/$1.lock for ten minutes"
	work=$cache/$1.work
	rm -rf "$work"
	mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/tree"
	trap 'rm -rf "$work"' EXIT
	trap 'exit 1' HUP INT TERM
	cat >"$work/apt.conf" <<-END
		Dir::State::lists "$work/lists";
		Dir::Cache "$work";
		Dir::Cache::archives "archives";
		APT::Sandbox::User "root";
		Acquire::Languages "none";
		Acquire::Retries "3";
		Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
		#clear APT::Update::Pre-Invoke;
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
	END
}

# private_apt is apt-get on the work folder's lists and cache.
private_apt() {
	apt-get -q -c "$work/apt.conf" "$@" 9>&-
}

# unpack lays the files of every package in the work folder into $work/tree.
unpack() {
	for package in "$work"/*.deb; do
		dpkg -x "$package" "$work/tree"
	done
}

# finish PATH gives the answer, on the stdout that begin put aside.
finish() {
	echo "$1" >&3
	exit 0
}
