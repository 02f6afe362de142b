// Command chaos runs a group as real processes, each on a host of its own in a network namespace, breaks hosts, disks and the
// network between them one after the other, and checks afterwards that muster kept its promises:
//
//   - Writes and default reads of each cluster's settings are linearizable. Porcupine decides, over all that the clients called
//     and were answered; a call with an unknown outcome may have taken effect at any later moment, or never. A check that
//     does not come to its end is a failure.
//   - A write that was acknowledged is one event, a refused one is none, and one with an unknown outcome at most one.
//   - Every peer's follower, over all its connections, was told the same events without a gap, and they are those that each
//     peer has on its disk.
//   - At the same entry the states that the disks hold are the same, byte by byte.
//   - A stale read's index does not go back while the peer lives.
//   - After a fault is mended every peer takes writes again, and at the end every cluster is refreshed again.
//
// A run in which too few writes went through is void: it has shown nothing.
//
// The run is a process in network and mount namespaces of its own, so that nothing it makes is seen outside or outlives it.
// It needs root, ip, nft and nsenter, and strace for the faults of disks.
package main
