// Package gossip tells a peer which other peers there are, where they are and
// what they say of themselves, over hashicorp/memberlist.
//
// Gossip is a hint and nothing more: membership of the raft group, the right
// to work and the identity of the leader never come from here. What it is good
// for is finding addresses (the log holds none, so all of them may change),
// noticing within seconds that a peer is gone, and letting peers without a log
// see one another before there is a group.
//
// # Identity
//
// The memberlist node name is the peer's ULID, never its human name: names may
// move to another machine, an id lives and dies with a data directory. Two
// processes that use one id (a copied data directory) are reported as a
// conflict. The group's name is memberlist's label, so packets and streams of
// another group's name are dropped before they are decoded.
//
// Two raft groups under one label are a mistake that gossip alone cannot
// prevent. A member whose group id is known and differs from this peer's own
// is counted in a metric, logged once, and returned by nothing here: not by
// Members, PeerAddr or Snapshot. The filter is applied when reading and not
// when receiving, since a peer may learn its own group id after it has met the
// stranger.
//
// # What a member says
//
// memberlist carries at most 512 bytes of its owner's choosing per member. A
// Member is written there as CBOR with integer keys; unknown keys are ignored,
// so that a newer release may say more. Labels are the only part without a
// bound of its own: what does not fit is refused when it is set, with a
// SizeError that names the biggest field, and never cut.
//
// # Crash, stop and leave
//
// memberlist's leave notification is the same for a crash and a farewell. So a
// departing peer first says in its meta what it is about to do, waits until
// that has been sent, and then leaves: "stopping" makes it stopped for the
// others (it stays a member of the group and will be back), "leaving" makes it
// left. Without either word a departure is a failure. If every copy of the
// first message is lost, a farewell is taken for a failure, which is the safe
// side.
//
// Departed members are remembered with the time of their departure for
// Config.Forget (a day by default), and at most 1,024 members are known at
// all; a full roster forgets the longest gone and refuses newcomers when all
// are alive.
//
// # Coming back elsewhere
//
// A peer that returns with other addresses is refused by memberlist for as
// long as the others believe the old ones to be alive; after that the new ones
// are accepted (Timings.Reclaim). The returning peer notices the conflict, and
// KeepJoining introduces it again in short pauses for as long as it may take
// to be suspected and given up at the old address; the others' silence in
// between proves nothing, since suspects are not contradicted. KeepJoining never ends by itself: in company it goes on
// trying, slowly, every known address that no living member holds. That heals
// a network cut which lasted longer than memberlist remembers its dead.
//
// # Names to join by
//
// What KeepJoining is given is looked up anew at each try, so that it may stand
// for peers that come and go: the hosts of a DNS name, the hosts and ports of
// its SRV records, or what a finder says of a URL. All are looked up at once
// and each has 5 s; one that leads nowhere is told in the log and stops no other.
// Of all they lead to, this peer and the living are left out.
//
// # Life and locks
//
// New validates and starts nothing. Run opens the sockets, creates the
// memberlist (which starts goroutines when created, hence not in New), closes
// Ready and blocks. Before Ready the roster is empty, Update is kept for the
// start, and Join waits.
//
// memberlist cannot be joined: Shutdown returns while a probe of a silent
// member may still wait for its answer. Run therefore waits one probe interval
// (as stretched by memberlist's own health score) when there was anybody to
// probe, so that nothing it started outlives it. The sockets are our own for
// the same reason: closing them closes every accepted and dialed stream and
// ends every dial at once; they also cap the streams open at a time and check
// the allowed networks before a byte is read.
//
// memberlist calls its delegates with its lock held. They only change the
// roster under a lock of its own that is never held while calling anything;
// whatever has to be said about it is said by Run. Readers are woken through
// Changed, a channel that is closed at the next change: any number of readers,
// nothing queued, nothing lost.
//
// # Limits of memberlist 0.6.0
//
// Packets are encrypted and authenticated by the keyring; whoever holds the
// key is fully trusted. Such a holder can also end the process: a push/pull
// whose version vector has the wrong length makes memberlist panic, and its
// decompression is unbounded. Alive messages of that shape are refused here.
// Off loopback a keyring is therefore demanded unless Config.Insecure says
// otherwise.
//
// Before it has decrypted anything memberlist takes 20 MiB of each stream;
// the sockets cut one at 2 MiB, and all together at 16. In the clear they also
// refuse whatever is compressed, which no peer sends. memberlist logs a line
// for every packet that it cannot make sense of: they are counted, and a few
// of them logged. Verifying what comes in and what goes out cannot be changed
// while it runs, so a group gets its first key by restarts; from then on the
// keyring may change at any time.
//
// There is no mark against replay in a packet. What is sent again is old news
// by its incarnation, and the living contradict what is not.
package gossip
