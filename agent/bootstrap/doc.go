// Package bootstrap founds a group once: it decides which peers make up the
// first raft configuration when several start at the same time with
// -bootstrap-expect N, so that no two groups are founded out of the same
// peers.
//
// Counting to N in gossip is not enough. Two peers may each see N voters-to-be,
// but not the same ones, and both bootstrap. Here seeing N only allows a peer
// to promise itself; what founds a group is N promises in one hand.
//
// # The protocol
//
// A voter-to-be is a peer that may vote, has no raft log, belongs to no group
// and was started with -bootstrap-expect. Only those that expect the same N
// count for one another. Each has one file, in which every step is made
// durable before anybody can learn of it:
//
//   - A peer that is not promised and sees N voters-to-be, itself included,
//     promises itself to the lowest id among them: on disk, then by an Offer,
//     repeated until the group is there. A promise has a serial number that
//     grows with every promise this peer makes.
//   - The holder writes it down and answers that it is held.
//   - A holder that has not decided and sees a lower voter-to-be hands back
//     everything it holds, its own promise included: it writes down the
//     highest serial returned to each peer and never holds that one or a lower
//     one again. The peers learn of it as the answer to their next offer, and
//     are then free to promise anew.
//   - The peer that holds N promises, its own among them, writes down the set
//     (its own and the lowest others) and bootstraps raft with exactly that.
//     From then on nothing is handed back.
//
// Whoever sees a peer with a raft log or a group id neither promises nor
// founds: it waits to be taken in. That includes a peer that is bound and sees
// its holder bootstrapped: raft will contact it.
//
// # Why two groups never share a peer
//
// Call a peer p bound to h by serial s while p's file says so. p's file says so
// before the offer (h, s) is first sent, and stops saying so only on the answer
// that h has returned s or a higher serial; h gives that answer only when its
// file says the same. So: as long as h's file says that it holds s of p, p's
// file says that p is bound to h by s, for h began to hold it after p had
// written it, and whatever returns it removes it from what h holds first. An
// offer that is late, repeated or lost changes nothing: a late one carries a
// serial that h has returned, and is refused.
//
// A founder decides on promises it holds, in one write, and hands nothing back
// after that. Hence every member of the set is bound to it for ever. A peer is
// bound to one peer at a time, so the sets of two founders are disjoint; and
// one founder writes one set. A crash at any point leaves the files as they
// were before or after a write, both of which the argument covers, and a
// founder that comes back founds the set it wrote.
//
// Two disjoint sets need 2N voters-to-be of which no founder saw the other
// side. So with fewer than 2N started with -bootstrap-expect N there is at most
// one group, whatever is lost, late or cut off. No protocol can do better: two
// times N machines that never meet are two installations to anybody inside.
// Start the rest with -join alone. Should it happen all the same, the group ids
// differ, and gossip and every handshake keep the two apart.
//
// The argument needs what it is built on: files that keep what was synced, an
// id that belongs to one data directory, and no directory that is copied or
// rolled back.
//
// # Why it ends
//
// When all voters-to-be stay up and see each other, every holder but the lowest
// of all sees a lower one and hands back; every peer bound to such a holder
// hears it with its next offer; all promise themselves to the lowest, which
// promises itself to itself and so comes to hold N.
//
// # A holder that never comes back
//
// A peer bound to a holder that is gone stays bound, for it cannot know whether
// the holder decided before it vanished; a lower id's arrival does not free it
// either, since only the holder hands back. The peer says so in its log every
// minute. An operator who knows that the holder's data directory is destroyed,
// or will never be started again, stops each peer bound to it, calls Release on
// its data directory (muster operator release-promise), and starts it. Releasing a peer whose holder is merely
// unreachable gives the protection away: the holder may found a group with it
// while it founds another. Deleting the file is worse than Release, as that
// also forgets what was handed back.
//
// # What the owner does
//
// The agent runs a Founder only while it has no raft log. raft writes its term
// before its first entry, so a crash inside raft's own bootstrap can leave
// state without a log; the agent must take "no log entry and no snapshot" as
// having no log, and bootstrap again: the Founder will ask it to, with the same
// set.
package bootstrap
