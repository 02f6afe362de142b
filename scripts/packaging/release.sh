#!/bin/sh
# release.sh VERSION [DIR] makes what is published of a release in DIR (dist/VERSION): for each of PLATFORMS an archive and a
# bill of materials (CycloneDX), for Linux a package too; the notes, from CHANGELOG.md; SHA256SUMS of it all. It makes all or
# nothing, and only of what is committed and tagged. The same commit and Go give the same bytes.
set -eu

version=${1-} out=${2-dist/${1-}}
cd "$(dirname "$0")/../.."

refuse() {
	echo "release: $1" >&2
	exit 1
}

printf %s "$version" | grep -Eqx 'v[0-9]+\.[0-9]+\.[0-9]+(-rc[0-9]+)?' ||
	refuse "\"$version\" is no version; wanted is one like v1.2.3 or v1.2.3-rc1: make release VERSION=v1.2.3"
changed=$(git status --porcelain)
[ -z "$changed" ] || refuse "the tree has what is not committed:
$changed"
commit=$(git rev-parse HEAD)
tagged=$(git rev-parse --verify --quiet "refs/tags/$version^{commit}" || true)
[ -n "$tagged" ] || refuse "there is no tag $version; make it: git tag -a $version"
[ "$tagged" = "$commit" ] || refuse "the tag $version is at $tagged, and the tree at $commit"
[ ! -e "$out" ] || refuse "$out is there already"
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH

mkdir -p "$(dirname "$out")"
work=$(mktemp -d "$out.XXXXXX")
trap 'rm -rf "$work"' EXIT
made=$work/made
mkdir -m 755 "$made"
umask 022

# A section of the changelog is headed by its version, and whatever else.
awk -v head="## $version" '/^## /{on = $0 == head || index($0, head " ") == 1; next} on' CHANGELOG.md |
	sed -e '/./,$!d' >"$made/NOTES.md"
[ -s "$made/NOTES.md" ] || refuse "CHANGELOG.md has nothing under \"## $version\""

# sbom PROGRAM lists what it was linked from, as the program itself says.
sbom() {
	go version -m "$1" | awk -v version="$version" -v commit="$commit" '
		NR == 1 { sub(/^go/, "", $NF); go = $NF }
		$1 == "dep" { n++; name[n] = $2; release[n] = $3 }
		$1 == "=>" { name[n] = $2; release[n] = $3 }
		END {
			printf "{\n  \"bomFormat\": \"CycloneDX\",\n  \"specVersion\": \"1.5\",\n  \"version\": 1,\n"
			printf "  \"metadata\": {\"component\": {\"type\": \"application\", \"name\": \"muster\", \"version\": \"%s\",\n", version
			printf "    \"licenses\": [{\"license\": {\"id\": \"Apache-2.0\"}}],\n"
			printf "    \"properties\": [{\"name\": \"commit\", \"value\": \"%s\"}]}},\n  \"components\": [\n", commit
			for (i = 1; i <= n; i++)
				printf "    {\"type\": \"library\", \"name\": \"%s\", \"version\": \"%s\", \"purl\": \"pkg:golang/%s@%s\"},\n",
					name[i], release[i], name[i], release[i]
			printf "    {\"type\": \"library\", \"name\": \"stdlib\", \"version\": \"%s\", \"purl\": \"pkg:golang/stdlib@%s\"}\n  ]\n}\n", go, go
		}'
}

for platform in ${PLATFORMS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64}; do
	name=muster_${version#v}_$(echo "$platform" | tr / _)
	folder=$work/$name
	mkdir "$folder"
	GOOS=${platform%/*} GOARCH=${platform#*/} make -s build BIN="$folder/muster" VERSION="$version" COMMIT="$commit"
	sbom "$folder/muster" >"$made/$name.cdx.json"
	if [ "${platform%/*}" = linux ]; then
		scripts/packaging/deb.sh "$version" "$folder/muster" "$made" >/dev/null
		install -m 644 scripts/systemd/* "$folder/"
	fi
	install -m 644 LICENSE README.md CHANGELOG.md "$folder/"
	tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --mtime="@$SOURCE_DATE_EPOCH" -cf - "$name" |
		gzip -6n >"$made/$name.tar.gz"
done
(cd "$made" && sha256sum -- * >../SHA256SUMS && mv ../SHA256SUMS .)
mv "$made" "$out"
echo "$out:"
ls "$out"
