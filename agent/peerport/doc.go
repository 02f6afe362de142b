// Package peerport is the one TCP port on which peers talk to each other. It
// carries two protocols: raft's streams, and peer-HTTP (forwarded writes,
// workers' reports, joins). [Port] accepts the connections, tells the protocols
// apart by the first byte and hands each connection on; [Streams] is the layer
// under raft's network transport; [Client] is the asking side of peer-HTTP.
//
// # Why ids are addresses
//
// To raft a server is an id and an address, and the address is written into
// the log with every change of membership. Addresses move: a whole group may
// come back from a restart with every address changed, and if the log held
// them nobody could reach the others to agree on the new ones. So here raft's
// ServerAddress is the peer's id. An id is looked up (Config.Resolve) each time
// a connection is made and at no other time; nothing has to be written when a
// peer moves.
//
// Looking up can be out of date, and an address may by then belong to somebody
// else: another peer, or a peer of another group. Therefore whoever connects
// first says who it is, whom it wants and which group it belongs to, and
// whoever answers refuses what is not meant for it. On a raft connection this is
// the first frame; on peer-HTTP it is headers of every request. Both are judged
// by the same rules:
//
//   - the groups must be equal, unless one side has none yet: a peer learns its
//     group from its first log entry, and until then it has to be reachable;
//   - the wanted id must be the answering peer's own;
//   - the caller must not carry the answering peer's own id: that is a copied
//     data directory, and two voters with one id can elect two leaders. A number
//     drawn at each start tells such a double from the peer itself, which may
//     well reach its own port when it has inherited another's address.
//
// The caller holds the answer to the same rules. A refusal is a [RefusedError]
// on the calling side and is counted and logged, at most once in ten seconds per
// reason, on the other. The path /join has no exemption: a joiner without a
// group passes since it has none, and a joiner that has another group must not.
//
// # The frames
//
// A caller's frame and the answer to it have the same head, which no version
// may change: the byte 0xD5, a version, and the length of the body in two bytes,
// big-endian. A frame is at most 256 bytes with its head. The body of version 1
// is, for a caller, group, own id, wanted id and the number of this start; for
// an answer, one byte that is 0 or the reason of the refusal, then group and own
// id. Strings have one byte of length. 0xD5 begins neither an HTTP request (an
// upper-case letter) nor a TLS record (0x16), so that one byte is enough to
// classify. Port.classify is the one place that does, and Port.dial the one
// place that connects.
//
// # TLS
//
// With Config.TLS the port speaks TLS alone, and ALPN says which protocol follows,
// by names that no HTTP face answers to. Both sides show certificates, and
// Config.TLS judges them before a byte of either protocol is read. A caller in plain
// TCP is answered in its own protocol that TLS is wanted, and one that speaks TLS to a
// plain port fails in its handshake; both sides say in their logs what to do.
//
// # Members
//
// A certificate says that its holder is a peer of this group by name, not which one,
// and it is good for years. So the id that a caller names must besides be that of a
// member (Config.Member); others may ask only for the few paths by which a peer
// becomes one (Config.Open).
//
// # Bounds
//
// The accept loop reads nothing: classification, and the wait for whoever takes
// the connection, happen in the connection's own goroutine under a deadline, so
// a silent client delays nobody; TLS shakes hands there too. Connections are
// bounded in all and for each remote IP, counted from accept to close whatever they
// carry, and those that have not shown who they are by bounds of their own, in all and
// for each IP, so that they cannot crowd out those of peers. Accepted raft streams have a deadline on
// every read and write, since raft sets none on that side.
//
// That deadline has a consequence. Raft keeps connections in a pool without
// looking at them, and a follower that led an hour ago would find in it only
// connections that the other side has closed meanwhile, lose its first votes to
// them, and with each an election timeout. So a dialed stream that rested, after
// an answer, for more than half the idle timeout is replaced by a new connection
// when the next request is written. Requests are self-contained and a pooled
// connection is always between two of them, so raft cannot tell. It takes
// all peers of a group to run with idle timeouts within a factor of two.
//
// # Forwarding
//
// A request is forwarded once at most. The server puts who called, and after
// how many hops, into the request's context; the client adds one to what it
// finds in its context, and does not send what would be a second hop. So
// a handler that passes its context on cannot make a loop.
//
// # What an error says
//
// For a request that failed the caller must know whether it may have been
// carried out. [NotSent] is true where it surely was not: peer unknown, not
// reached, refused, or too many hops. A [StatusError] is an answer. After any
// other error of the exchange the outcome is unknown.
//
// # Order of stopping
//
// The port is the last thing of a peer's network to stop: first raft is shut
// down and its transport closed (which closes Streams), then Streams.CloseStreams
// ends the streams that the transport leaves open, then the context of Run ends.
// Run closes the listener and every raft connection at once, gives requests
// ShutdownTimeout to finish, cancels their contexts, and returns when all are
// done. A handler that ignores its context holds it up.
//
// # Decisions
//
//   - Raft's Dial has no context, so the port's own life, from New until Run is
//     told to stop, stands in as its parent. Dialing works before Run, as raft
//     wants it.
//   - The caller waits for the answer, one round trip, before raft may write. That
//     is paid once per connection and makes a refusal an error of Dial instead of a
//     stream that dies later.
//   - The checks keep honest peers apart; they are no authentication. Without TLS
//     whoever reaches the port can claim any id, and with it whoever holds the
//     certificate of one peer can claim the id of another.
package peerport
