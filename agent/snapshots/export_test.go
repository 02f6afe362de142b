package snapshots

import "github.com/hashicorp/raft"

// SyncEvery is how many bytes of a snapshot may wait to be on the disk.
const SyncEvery = syncEvery

// BreakSyncs makes the syncs of a snapshot that is being written fail.
func BreakSyncs(s raft.SnapshotSink) error { return s.(*sink).state.Close() }
