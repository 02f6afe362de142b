// Package boltstore keeps a raft group's log and its few durable words (term,
// vote) in one bbolt file. Store is raft's LogStore and StableStore.
//
// # File format
//
// The format is that of hashicorp/raft-boltdb/v2, so either opens a file the
// other wrote:
//
//   - bucket "logs": key = the entry's index, 8 bytes big-endian; value = the
//     raft.Log as go-msgpack/v2's MsgpackHandle writes it with TimeNotBuiltin
//     set. Times are stored in UTC. Either time encoding is read.
//   - bucket "conf": keys and values raw; integers are 8 bytes big-endian.
//
// raft tells a missing key by its error's text, so ErrKeyNotFound says exactly
// "not found" and is never wrapped.
//
// # Checksums
//
// bbolt has checksums for its two meta pages only. Each entry stored here
// carries one of its own, at the end of raft.Log.Extensions, a field raft leaves
// to those between it and the disk:
//
//	Extensions as stored = Extensions as given | 8D "mcrc32c" | CRC32C, 4 bytes big-endian
//
// The CRC (Castagnoli) covers, integers big-endian: index (8), term (8), type
// (1), appended-at as Unix seconds (8), nanoseconds (4) and zone offset in
// seconds (4), length of Data (8), Data, length of Extensions as given (8),
// Extensions as given. GetLog verifies the trailer, strips it, and so returns
// what was stored.
//
// An entry without the trailer was written by raft-boltdb and is served as it
// is, Extensions included. So that damage to the marker does not turn one of our
// entries into a foreign one, marker and CRC each count as evidence of a
// trailer: where one of them fits, both must. A value with unknown fields,
// trailing bytes or another index than its key is refused whoever wrote it.
// A single damaged byte anywhere in a value is thus found; what is not covered is
// the conf bucket, whose format has no room, and bbolt's newer meta page: damaged,
// it looks like a write cut short by a crash, and bbolt goes back by that write.
//
// raft-boltdb serves the trailer as part of Extensions. In a group where some
// peers run it, trailers travel and may pile up in Extensions; nothing reads them.
//
// # When the disk fails
//
// After a failed fsync nobody knows which pages reached the disk, and raft keeps
// in memory a picture of the log that a failed write makes wrong (a follower
// that truncated and then could not append never gets entries again). So the
// store latches: after the first write that fails, is refused, or is still under
// way after Config.WriteTimeout, every later write fails with ErrLatched, and
// Latched tells the owner, who ends the process; the next start reads the disk
// anew. A stalled write is reported while it hangs: each write runs in a
// goroutine of its own, so raft's main loop gets its error, steps down, and
// another peer can be elected. Such a write may still land later. Its outcome is
// unknown, like that of any write that fails.
//
// Reads go on after the latch: what was acknowledged is still right, raft panics
// when a committed entry cannot be read, and a peer about to give leadership away
// needs its log. An entry that fails its checks is never served; it is a
// CorruptError, which names the way out, and it latches. Panics and memory
// faults that bbolt raises on damaged pages, or the kernel on an unreadable
// sector, become the same error; so that they do when bbolt opens the file and
// scans it on a goroutine of its own, Open walks the pages first.
//
// # Decisions
//
//   - An entry must have a higher index than all that are stored. raft truncates
//     before it overwrites; without that, a stale tail of an older term would
//     survive behind the new entries.
//   - Gaps between entries are stored, and IsMonotonic says false. With true,
//     raft would clear the whole log whenever it installs a snapshot, even one
//     that is older than the log: a late, repeated InstallSnapshot would destroy
//     acknowledged entries. Keeping them costs some disk until the next
//     compaction.
//   - The freelist is not written on commit (bbolt would rewrite it each time,
//     slow after a burst); it is rebuilt by one scan when the file is opened and
//     after a failed write. In memory it is a hash map.
//   - The file never shrinks by itself; free pages are reused.
//   - Values are encoded before the transaction begins and decoded into memory
//     of their own: the caller's slices are not kept, the mapped file does not
//     leak.
//   - Put raft.LogCache around a Store, never inside. LogCache formats errors into
//     text, so watch Latched and Err rather than raft's errors.
package boltstore
