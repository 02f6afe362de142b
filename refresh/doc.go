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
//     other work until it fits; without that a cluster larger than the room of a busy peer would wait for ever.
//   - Unhurried things travel together: claims and unchanged completions once a beat. A completion with facts leaves at
//     once.
//   - A 304 stands for the report that came with the tag and is compared like any other, since a comparison costs less
//     than knowing when it may be left out.
//   - One poll of one peer proves nothing: a failed node is asked again by the next peer in placement order, and a peer
//     whose failures others do not see is doubted for a minute.
//
// Probers live in probe, one folder each; poll is the HTTP client they share.
package refresh
