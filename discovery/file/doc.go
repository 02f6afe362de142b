// Package file reads clusters from files on the peers that run the discovery.
//
// The config is {"files": ["/etc/muster/clusters/*.json"]}: absolute names or patterns. What a file holds is a list, in
// JSON (.json) or YAML (.yaml, .yml), of
//
//	{"cluster": "orders", "nodes": [{"id": "orders-1", "address": "10.0.0.7", "port": 8655, "labels": {"zone": "a"}}]}
//
// or of Prometheus file_sd groups as they are:
//
//	{"targets": ["10.0.0.7:8655"], "labels": {"cluster": "orders", "zone": "a"}}
//
// told apart by their keys, group by group. A node may also name its prober ("probe"). Of a file_sd group, the label
// cluster names the cluster and is required, the label node names the node where the group has one target (its id is the
// target otherwise), labels that begin with "__" are Prometheus's own and dropped, and the rest become the node's labels.
//
// # A file is whole or the read fails
//
// Nodes are taken away on the strength of what files do not hold. So each of these fails the read, with the file and the
// line: a pattern that matches nothing, a file that cannot be read, is empty, is cut short, is larger than 16 MiB (YAML: 4
// MiB, since parsing it costs some 170 times its size in memory), changed while it was read, holds a key that is not
// known, or lists a node twice, be it in two files. Whoever reads keeps the last good set then. "[]" is a list of nothing
// and good. A YAML list cut at a line's end is still YAML, so a YAML file has to end with a newline, which shows most
// cuts; the guards on mass absence are there for the rest. Names that begin with a dot are left out of patterns, as in a
// shell, since editors and Kubernetes keep their own business there.
//
// # Watching
//
// Directories are watched, not files: a file replaced by a rename, or a Kubernetes volume swapped through a symbolic
// link, is a change in a directory. After each notice the patterns are expanded again and compared, by identity, size and
// time of change, with what was there. Where a directory is missing the nearest one above it is watched, so that it is
// noticed when it comes back, and a directory that was replaced by another is watched anew. The names in nudges are file
// names, and Read takes them.
package file
