// Package backup is the file in which operators keep a group's state: written, read back whole, and kept in a directory.
//
// A backup is a gzip of a tar of three files, in this order:
//
//	meta.json    what it is: Meta
//	state.bin    the state, as a snapshot of package fsm
//	SHA256SUMS   the digests of both, as sha256sum -c reads them
//
// Read trusts nothing: every digest and every row is checked, lengths that the file claims allocate nothing, and what is not
// exactly those three files is refused. What it holds in memory is the state itself.
//
// Save and Keeper leave no half file under its name: a file is written beside it with mode 0600, verified while it is
// written, synced, and renamed.
//
// # Decisions
//
//   - A tar wants the length of a file before the file, and nobody knows the length of a state before it is written. It is
//     written twice from the same reader, the first time only to be measured: that costs CPU but no disk and no memory.
//   - The digests come last, so that a backup streams, and Read judges the rows before it has seen them; rows are judged as
//     hostile ones anyway.
//   - gzip at its fastest: a peer at work has better uses for a core than a file a tenth smaller.
package backup
