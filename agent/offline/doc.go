// Package offline is what operators do to the data directory of a peer that is stopped: give its log's room back, free it from a
// promise, and make a group of one out of what it holds.
//
// Each of them takes the directory's lock, so that the peer cannot start meanwhile, and refuses a directory that a running process
// holds, that a later release has written, or that is none. Only Recovery.Do, ReleasePromise and CompactLog change anything, and each
// may be done again where it was cut off.
package offline
