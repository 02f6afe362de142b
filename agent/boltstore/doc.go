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
//   - bucket "seal", of ours alone: see below.
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
// A single damaged byte anywhere in a value is thus found. Those of the conf bucket,
// whose format has no room, are found by the seal alone.
//
// # When the machine dies in a write
//
// bbolt writes the pages of a transaction where nothing was that the transaction
// before it or its own readers need, syncs them, writes the meta page over that of
// the transaction before the last, and syncs it. So on a disk that keeps the order of
// syncs a write that was cut short, at whatever pages or parts of them, leaves the
// file as it was before or as it is after: a meta page that is not whole fails its
// checksum, which is the only one that bbolt has, and the one before counts. What is
// free is no matter of the disk: it is found anew when the file is opened. Nothing
// that was acknowledged is lost, and nothing of this package is needed for it.
//
// A disk may also lose a page that it said it had, or write the meta page before the
// others. Then bbolt follows it to pages of another time, which are well formed and
// whose entries have checksums that fit: entries are missing, or such are there that
// were overwritten. So each transaction of a Store writes a seal beside what it
// changes, in a bucket of its own that raft-boltdb leaves alone: its number, how many
// keys there are, and sums over keys and over values. Open compares the seal with what
// is there, and refuses the file where they differ (Index is 0). A seal of an earlier
// number says that another program wrote, which is as it should be, or that the page
// with the seal is missing itself; these are told apart by the transaction before, whose
// pages are all still there. Where an entry is damaged, and but for entries' values all
// is right, the file is opened, and who reads that entry is told.
//
// What no one can tell is bbolt's newer meta page, damaged: that looks like a write cut
// short, and bbolt goes back by that write. And a disk that forgets a whole write, all
// of it, is as it was before.
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
// sector, become the same error. bbolt also reads the file on a goroutine of its own,
// where neither can be caught, and follows damaged pages in circles until no memory is
// left; so Open walks the tree of pages first, each page once.
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
//   - A new file is made under another name, and gets its own when it is whole: one
//     that is half made need not be told from one that is damaged.
//   - The seal is a sum, not a tree of hashes: it says that something is missing, in
//     one page that is written anyway, and not what.
//   - The walk knows the form of bbolt's pages, and reads it in the machine's byte
//     order as bbolt does. What it refuses, bbolt would panic on, or follow.
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
