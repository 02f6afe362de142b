// Package refresh decides who refreshes what, asks the nodes, and reports what they said.
//
// On the leader a Scheduler holds when each subject is due and which peer gets the claim. It is a step function: each beat
// it is given the state, the ready peers and the time, and answers with commands. On every peer a Worker does the claims
// that name it: it asks all nodes of a cluster at once, compares the reports with its own replica (fsm.Diff), and sends
// facts, or a few bytes that say "unchanged".
//
// # Decisions
//
//   - The claim is the dispatch. A worker learns of its claims by applying the log; nothing else is sent to it.
//   - Clusters stick to peers by rendezvous hashing, so connections stay warm; a peer whose share is full passes work on.
//   - Waiting is monotonic: what is due keeps its place when a wall clock jumps.
//   - What waits for room goes in the order in which it became due. What has waited for an interval keeps its peer from
//     other work until it fits; without that a cluster larger than the room of a busy peer would wait for ever. Room that is freed
//     while something waits for it is given at once: by the beats alone a peer could do no more than its room twice a second.
//   - While all is paused nothing is granted, and what has waited is taken up at the end as by a leader that takes over: what is overdue
//     by more than its interval waits for its next slot. Apply refuses grants too, so that none follows the answer to a pause.
//   - Claims do not outlive the silence of their peer. A dead leader holds claims too, and gossip takes seconds to call it failed:
//     what a peer holds that is not heard expires at once, whatever is left of its ttl, since the token keeps what it may still
//     say out of the view. Silence is not held against it, as claims are that it let pass while it was heard.
//   - Unhurried things travel together: claims and unchanged completions once a beat. A completion with facts leaves at
//     once.
//   - A 304 stands for no report. A peer keeps tags alone, since whole reports of 33,000 nodes are tens of MiB, and passes them
//     only while a round that is told the same must change nothing: while the cluster stands (stand) as it did when a full
//     round compared as unchanged, at the same version, with the same settings and notes, in the same epoch. A round of which
//     every word is then a 304, or the same failure as before, is unchanged, and nothing of the view is read; its as-of index
//     is one at which the cluster still had that version. Whatever else comes makes it a round like any other: those that
//     said nothing but "the same" are asked once more, and all reports are compared. So after each change a cluster is asked in
//     full twice. A node whose tag moves though nothing changes (an attribute that is muted) would cost its neighbours two
//     polls each round; its cluster is asked in full for a while.
//   - A round may be told in parts. When those that answered have waited for the others for a while, their facts are sent
//     as a part of their own, compared without the primaries, which need the full round. What is counted over rounds (notes)
//     comes with the last part alone, and is what it would be had there been no other. Where a third party is asked about some
//     of the nodes nothing is told, and nobody passed over, before it has answered: if it fails, no node changes.
//   - A node that stands unreachable and is silent is not waited for: the round ends with what the view says of it, so that a
//     dead node takes no slot from its neighbours and no room from other clusters. Its poll goes on by itself; if that
//     brings anything else, the next round waits. So a node that comes back and answers slowly is seen one round later. What
//     an operator asks for is always waited for.
//   - One poll of one peer proves nothing: a failed node is asked again by the next peer in placement order, and a peer
//     whose failures others do not see is doubted for a minute.
//
// Probers live in probe, one folder each; poll is the HTTP client they share.
package refresh
