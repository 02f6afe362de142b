// Package discovery reads which clusters and nodes should exist.
//
// A Backend reads one kind of place, and each has a folder of its own: discovery/file, discovery/consul. A backend gives
// the whole set it was asked for or an error, and never a part: nodes are taken away on the strength of what a read does
// not hold, so anything that could be a part (an answer without a leader, a list filtered for want of rights, a file cut
// short) has to be an error. discovery/backendtest holds that promise as one suite of tests for every backend.
//
// # From a read to records
//
// Shape turns what a backend read into the records of a discovery: the filter leaves records out, the cluster template
// names the cluster of each one that is left, limits are checked, and the result is sorted by cluster and node. It works
// as a read does, all or nothing: one record that has no valid name fails the run, with an error that names the record
// and the field. Dropping it with a line in some peer's log would let a slip in one service's meta look like a node that
// went away. What the filter leaves out is not judged at all, so a filter is also the way around a source's oddities.
//
// A record may come with a cluster: a file names it, and Consul's service meta may (muster-cluster). It then keeps it,
// unless the template itself speaks of .cluster, as in "staging-{{.cluster}}": that is the one case in which a template
// says something about names given elsewhere, and its author said so.
//
// Templates are text/template cut down to what cannot run long or grow: text, fields, if/else, and a few functions
// (lower, upper, trimPrefix, trimSuffix, replace, join, default, index, eq, ne, and, or, not). Loops, variables, nested
// templates and printf are refused when the setting is applied. A field that is not there (.meta.env of a record without
// it) is an error; index .meta "env" is empty instead. A "/" in the result becomes ".", since service names may hold it
// and cluster names may not.
//
// Filters are go-bexpr over the record's JSON names. Every name and operator is judged when the setting is applied, not
// only those an evaluation happens to reach. A key that meta or labels lack equals nothing: meta.env == "prod" does not
// match, meta.env != "prod" does. A filter is judged before the template, so that a record it leaves out may lack what
// the template needs; only one that speaks of cluster is judged after it.
//
// # Reporting
//
// A run goes to the leader in parts, one after the other. Before the next one the replica is waited for only where that
// one is about a cluster of the last: clusters do not depend on each other, and a follower holds what the leader has
// accepted 50 to 100 ms after the answer. Several parts in flight would be quicker still by a part's way to the leader,
// and would have to cope with parts that overtake each other; at 700 records to a part that is not worth it.
//
// # Watching
//
// A backend that can notice changes is also a Watcher. A watch carries no truth, only names of what moved: the first
// name goes at once, those of the 200 ms that follow go together. Whoever is nudged reads those names; a lost nudge costs
// time until the next full read and nothing else. Back-off and pacing are the watcher's own affair, and a Watch that
// cannot watch keeps trying until its context ends.
//
// # Settings
//
// A Maker judges a backend's config and touches neither disk nor network, since the peer that is asked to store a setting
// need not be one that can run it. Unknown keys are refused, with the likely one named. Secrets are refused: settings are
// stored on every peer and shown to readers, so a config names a file (token_file) and never holds what is in it.
package discovery
