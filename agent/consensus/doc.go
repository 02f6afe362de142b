// Package consensus is raft as a peer runs it: its timing, its log lines, and what stands between it and the parts that it is made of.
//
// What hashicorp/raft leaves open, or does in a way that a peer cannot live with, is dealt with here, save what is about the files of
// snapshots (package snapshots) and the news that a leader sends early (agent):
//
//   - Logs: it keeps entries from before a snapshot that the leader sent, and cannot tell that leader that it has it.
//   - Transport: it takes up a snapshot of any size, and hears nothing else meanwhile, and panics over a peer set that came damaged.
//     Entries are sent to a peer one request at a time.
//   - patient: it waits up to ten seconds before it tries again to reach a peer, also when that one is back.
//   - Stable: it panics when it cannot save its term.
//   - Blank: it does not found a group where a crash left a term and nothing else.
//   - Caught: it panics with the error of an entry that it cannot go on with when it starts.
//   - Pulse: it takes answers for fresh that had waited while the process stood still.
//   - Leaders: it tells of another leader, but not to whom is slow to listen.
//   - Asker: it never answers what it was asked when it shuts down.
//
// Nothing here knows an Agent, the state or a data directory.
package consensus
