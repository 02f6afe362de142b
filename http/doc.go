// Package httpd is the HTTP face of a peer under /v1, and the Go client for it.
//
// Any peer answers. What it answers from, and whom it asks to do things, are the interfaces of peer.go, which the running
// peer implements; the package imports nothing of muster but fsm. Server and Client share the exported types whose names
// end in Row, and those beside them: their JSON is the API.
//
// # Reads
//
// A read is linearizable, on whatever peer it is asked, unless it says ?stale: then it is the asked peer's own replica as
// it stands. Events, pages and streams alike, are always served by the peer asked. Every read says what it read:
// X-Muster-Index, X-Muster-Epoch, X-Muster-KnownLeader and X-Muster-LastContact in milliseconds.
//
// With ?index=N a read blocks until the index of its set has passed N, or ?wait= is over, or the state was replaced by a
// restore, since indexes before and after one do not compare. While it waits it holds no reader, so that no old state is
// kept alive, and it reads again when the wait is over, since the times that are laid over the rows move without their
// index. Blocked and following requests of all clients are bounded together.
//
// The set of /v1/nodes is that of all clusters: that a source no longer lists a node moves the version of its cluster and
// no row of the node. The set of /v1/cluster/{name}/effective is the cluster, the settings and the discoveries together.
//
// A restore moves every index, of rows and of sets, past all that either history gave: an ?index= or ?cas= from before it is
// never taken for current, and X-Muster-Epoch says that there was one.
//
// A list ends where X-Muster-Next is absent. A filtered page looks at 10,000 rows at most, so it may be short, or empty,
// and still have a next.
//
// # Filters
//
// Rows are filtered as the structs they are, by the names of their JSON; a generic map would have to be encoded and decoded
// for every row that is then left out. Times and durations compare as their text. Vars are looked into to any depth. The
// whole expression is judged before the first row, so that a misspelt field is refused also where no row would meet it; any
// and all do not nest, so that a row costs no more than its size.
//
// # Writes
//
// A write of the state answers with an Ack once a majority has it on disk; the row itself is for a read to tell. What
// would change nothing succeeds whatever ?cas= says and goes to no log. Changes of clusters and nodes are computed here
// from a linearizable look, as facts followed by what Derive makes of them, and name the version they were computed
// from; when the cluster has moved they are computed again, three times, with every check made again. ?cas= of a node is the
// node's own index, of everything else the row's.
//
// A PATCH is a merge patch (RFC 7396): objects are merged key by key to any depth, vars too, and null unsets. Refresh
// settings are judged as they will be in force, over those of the discovery. A PUT takes back what a GET shows: the fields
// that only answers tell are read and left alone.
//
// Acts that change no row (leave, force-leave, remove-peer, transfer-leader) are recorded as operator.acted before they
// are done, since afterwards there may be no leader to take the record or no peer to send it: the event says what was
// asked for. Join and reload concern one peer, must do without a leader, and are told by its log alone.
//
// JSON is read strictly, with the path of the field in every refusal: encoding/json would take keys in any case, the last of
// two equal keys, and text after the value. Bodies are bounded in bytes, in depth and in the time they take to arrive.
//
// # Events
//
// A cursor names the last event that was looked at, wanted or not, in the epoch in which it was appended; so it moves on
// under a filter that nothing matches. Operators' events (?cause=operator) are read from their own table, which outlives
// the first kept event. With ?reverse pages come the latest first, and ?after= goes on to older ones: after is meant of the order
// in which they are read, as in every list, and the end of the list is where the log begins.
//
// A stream of events is lines of JSON. Beside events, whose types hold a dot, there are two other lines:
//
//	{"type":"heartbeat","cursor":"EPOCH:SEQ"}             first, and every 15 seconds
//	{"type":"end","cursor":"EPOCH:SEQ","error":{…}}       last: the cursor is too old, or the peer stops
//
// With Accept: text/event-stream the same are server-sent events: each event has its cursor as id and no name, so that
// onmessage sees all; a heartbeat is a comment with an id, which moves Last-Event-ID on and dispatches nothing; the end is an
// event named end. Last-Event-ID wins over ?after=, since a browser repeats the URL it began with.
//
// An event is decoded and encoded once on a peer: the newest are kept as they are told, in at most 8 MiB, and filters look at
// their headings. A follower at the end looks again 25 ms after its last look at the soonest, so that under load events go
// out together and with one wake; after a quiet time the first goes at once.
//
// A follower holds at most 16 KiB and an event while it writes, and nothing but its connection while it waits. One that does
// not take a write within 30 s is cut off and counted; one that falls behind what is kept gets the end with the oldest
// cursor. Nobody waits for it.
//
// # The log
//
// A reader of the log is one that looks on: the peer never waits for it, and tells it among its lines how many it has lost. It
// takes no place of those that wait and follow, since it is wanted when they are all taken.
//
// # Who may ask
//
// A server bound to loopback takes requests only for localhost, loopback addresses and the names it was given, so that a
// web page cannot reach it through a name of its own that resolves there. Writes from pages of other origins are refused
// whatever they send, and bodies must say that they are JSON, which no form does. Text of internal faults stays in the
// log.
//
// # Tokens
//
// Where ACLs are on, each endpoint names the role it needs; only /livez, /readyz and the making of the first token need none.
// Tokens come in headers, never in the URL. A request is judged by the asked peer's own replica, so that it costs no way to the
// leader, and reads go on without one: a deleted token is refused as soon as the deletion was applied there. Only a token that the
// replica does not know is looked for at the leader, since it may have been made a moment ago through another peer.
//
// A request that lasts is judged again whenever tokens change and when its own expires, so that streams and blocking reads end with
// their token. A write's cause names the accessor of the token, the name under which a token is listed.
//
// Where ACLs are off, tokens are not made either: they would be good the moment ACLs are on, and anybody could have made them.
//
// # Connections
//
// A connection is counted from accept to close: so many in all and, so that one caller cannot take them all, so many from one
// address. With TLS a caller has five seconds for the handshake, which is on the connection's own goroutine; one that speaks
// plain HTTP is told so in plain HTTP. TLS speaks HTTP/1.1 alone: every bound here, from the connections of an address to the
// time that a header and a body may take, is then that of requests too, which HTTP/2 would multiply. A caller shows a
// certificate only where it is told to; who may do what is a matter of tokens.
//
// # The description
//
// The API is described by hand as OpenAPI 3.1, in the files of openapi, which are joined into /v1/openapi.json; an endpoint says
// there once more which parameters it takes and which role it needs. To add a route: put it into the table in routes.go that it
// belongs to, its path into the file of the same name, and the types that it sends and takes into schemas.yaml. The tests then
// compare both ways, and hold every request that succeeds and every answer of this package's tests against the description, which
// for them is closed: a field that it leaves out fails.
//
// kin-openapi, which reads it in tests, takes a document of 3.1 as it is and judges schemas by JSON Schema 2020-12. An ETag spares
// who has the document already from fetching it again.
//
// # The client
//
// Client has a method for every route, and one for all profiles of a process. Each request has a timeout, beside the wait that it asks
// for. What was surely not done may be sent again (ClientConfig.Retry); what may have been done is never sent again by itself, though
// every write may be repeated. Lists are read a page at a time, or row by row with Rows. Follow and Following go on over as many
// connections as it takes, each from the cursor of the last event that was taken, and end where events are lost.
//
// # Stopping
//
// When Run's ctx ends, blocked reads are answered with what there is, followers get their end, and the rest has five seconds.
package httpd
