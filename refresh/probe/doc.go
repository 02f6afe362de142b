// Package probe is what the kinds of prober share: how a config is read (Read), who they say they are and how their
// connections are secured (Login, TLS, CheckScram), the clients they keep between polls (Links, each over a Line), and pages
// of HTTP (Web). Each kind has a folder below this one, and exports one refresh.Maker, named New. The program lists the kinds
// it wants in a refresh.Probers; nothing registers itself.
//
// A config is a flat JSON object. It lives in the replicated state, which every reader of the API sees and every backup
// holds, so no secret may be in it: keys that name one are refused unless they end in _file or _env and so only say where
// it is kept, on each peer. Which files and variables may be named at all is judged by refresh.Env.Reveal.
//
// # Libraries
//
// A kind uses its store's client as far as a poll can be what it has to be: dialed under the peer's rules and to the target
// alone, bounded in bytes, memory and time whatever a server announces, and leaving nothing running. A peer asks thousands of
// nodes that others register, and one that answers badly must not cost it more than that answer. Where a client follows
// addresses that servers advertise, makes room for what is announced, or panics on it, the kind takes from it what does not
// (messages, documents, logins) and speaks the rest, a few requests, itself. Each doc.go says what, and tests hold the fakes
// against the clients.
//
// # Roles
//
// A wrong role is worse than none. What a server did not say clearly, or whole, is a fault: the node is unreachable for a
// while, and what it said before stands. The id of a shard is the same on its primary and its replicas. Attributes are few,
// in snake_case, and stay the same for hours.
//
// Every kind passes the suite in probetest.
package probe
