// Package packaging installs what is given to users, as they would. The folder has what makes it:
//
//   - deb.sh packs a program, the units of scripts/systemd, an example configuration and completions for Debian and its kin.
//     The same program gives the same bytes anywhere, so that anyone can check a package against its sources.
//   - debian/ is what dpkg runs. Nothing is enabled or started by an installation, since a peer must be told its group; an
//     upgrade keeps settings and data, restarts sidecars, which keep nothing, and leaves a peer running the old release until an
//     operator restarts it, because unattended upgrades of all machines would stop the group. Removal keeps settings and data,
//     purge keeps nothing.
//
// Packages are written by dpkg-deb alone. The tests install them into a copy of this machine that ends with them: an overlay in a
// mount namespace, which needs root.
package packaging
