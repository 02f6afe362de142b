// Package poll does plain HTTP/1.1 GETs over kept-alive TCP connections, many thousand of them, cheaply. It also holds the
// rules for what a peer may dial at all.
//
// # What it promises
//
// A [Client] asks one path and reads one answer. Everything about it is bounded: the connect time by a timeout of its own;
// the whole request by its context, or by Config.Timeout where that has no deadline; a header line at 4 KiB and all of them
// at 16 KiB; the body at what the request allows; the connections, idle and in use, at Config.MaxOpen. The end of the
// context ends the request at once. An error is one that refresh.FaultOf gives a reason code.
//
// Redirects are never followed, no proxy is used, no environment is read, no cookie kept, nothing decompressed. What is
// dialed is made from a host and a port alone, and [Rules] judge the address that the name resolved to at the moment it is
// connected to, so that a name that answers differently the second time gains nothing.
//
// # Connections
//
// At most one idle connection is kept for each address: a round asks each node once. A connection goes back only when its
// answer was read to the very end, nothing came after it, and the server did not ask for its close; one whose answer was
// an error is closed. While MaxOpen are open an idle one is closed for each that is dialed. One that rested longer than
// IdleTimeout is not used again; it is closed by the next requests that come by, since a timer or a goroutine for each
// connection would cost more than all of them are worth, and so the places of nodes that are gone fall to others. So an
// idle connection costs a descriptor, a map entry and some 200 bytes beside net's own 500; buffers belong to requests, not
// connections. Dead peers are found by polling them, so TCP keep-alive is off. How many requests are under way is the
// caller's to bound, at no more than MaxOpen. What is dialed for other protocols (Client.Dial) counts as in use until it
// is closed.
//
// A server may close a kept connection at the moment a request is sent over it. Then, and only when not a byte of
// an answer came, the request is sent once more over a new one. A GET may be sent twice.
//
// # Decisions
//
//   - A client of our own instead of net/http: two goroutines and over 20 KiB for each idle connection are too much for
//     tens of thousands of nodes. The price is that less is understood, and what is not is refused instead of guessed:
//     folded header lines, a length that contradicts itself, transfer codings other than chunked, answers that switch
//     protocols.
//   - The answer's header is not kept as a map: callers name the few they want. A 304 so costs a handful of small
//     allocations, most of them the context's.
//   - The last to come goes first. Nodes are asked round and round, so in a fleet larger than MaxOpen the one unused for
//     longest is the very one that is wanted next, and closing it to make room would leave no poll a connection at all: this
//     way the share MaxOpen/nodes of all polls need not dial, and a poll that dials costs several times one that does not.
//   - Idle connections and those in use share one limit: a poll over a kept connection needs no second file, and places set
//     apart for polls that dial would be empty most of the time.
//   - Want of files while dialing closes idle connections and dials once more: whoever else took them, what is under way goes
//     before what is kept. What is short then is a fault of this side (refresh.ReasonShortage), never the node's.
//   - A dial is net.Dialer's. Socket calls of our own for literal addresses were measured, and cost the same within the
//     noise: what is dear is the handshake.
//   - Own listeners are refused by address (Rules.Own), so that a record that points at a peer's own port makes no loop.
//   - Denying wins over allowing, however narrow: who denies a network must not lose it to a range somebody else put in. What is
//     guarded wants a rule of its own, so that the wide range which says "my networks" does not open loopback by the way.
//   - A refused dial is the node's failure (address_forbidden), not the refresh's: one record with a forbidden address must not
//     keep the rest of its cluster from being asked.
//   - Ports are open unless denied. What a poll says to a mail or ssh server is a line that means nothing there, and what these
//     answer is a protocol fault.
//   - IPv6 addresses that carry an IPv4 address (mapped, translated, NAT64, 6to4) are judged by both.
package poll
