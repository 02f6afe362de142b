// Package packaging installs what is given to users, as they would. The folder has what makes it:
//
//   - deb.sh packs a program, the units of scripts/systemd, an example configuration and completions for Debian and its kin.
//     The same program gives the same bytes anywhere, so that anyone can check a package against its sources.
//   - debian/ is what dpkg runs. Nothing is enabled or started by an installation, since a peer must be told its group; an
//     upgrade keeps settings and data, restarts sidecars, which keep nothing, and leaves a peer running the old release until an
//     operator restarts it, because unattended upgrades of all machines would stop the group. Removal keeps settings and data,
//     purge keeps nothing.
//   - release.sh makes what is published of a tag, all or nothing, and refuses what is not committed, tagged and noted.
//   - Dockerfile makes an image of the program alone. Its health check is of life, not readiness: restarting peers that only lack
//     a leader would not give them one.
//
// Packages are written by dpkg-deb alone. The tests install them into a copy of this machine that ends with them: an overlay in a
// mount namespace, which needs root.
package packaging
