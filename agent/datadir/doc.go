// Package datadir is the data directory of a peer: who may have it, what it says of its peer, and how its files change.
//
// # What it promises
//
//   - One process has a directory at a time, and nobody else may read it: it holds all that a group knows.
//   - A directory belongs to one peer of one group for good. Its id is born with it.
//   - A file is replaced in one step that survives a crash. What a crash leaves half written has a name that says so, and is taken
//     away by the next start.
//   - A directory that a later release has written is refused before anything in it changes (Readable).
//
// Open is for the peer itself, OpenStopped for what is done to a peer that does not run, and LayProof for who shares its machine.
//
// The log and the snapshots are in here, but boltstore's and snapshots' affair; so are bootstrap's promises.
//
// A nil Dir is that of a peer which forgets: it holds nothing, and what is kept in it is gone.
package datadir
