// Package memcached asks memcached servers, and what speaks the text protocol as they do: one "stats" per poll.
//
//	{"tls": true, "tls_ca_file": "cache-ca.pem", "username": "muster", "password_file": "memcached"}
//
// The options are those of a login and of TLS (package probe). The target's port is the server's own, 11211 as a rule.
//
// # What is reported
//
// kind is memcached, version what the server says. state is up: a server that answers serves. There is no shard, since the
// servers of a cache know nothing of each other and none leads. There is no node_id, since a server has none. Attributes are
// limit_maxbytes, max_connections and threads, which only an operator changes.
//
// # Who may ask
//
// A server that was started with -Y wants a user and password of its file; any of them will do, since memcached knows no
// rights. They are sent only after the server refused an answer for want of them: to any other server the same bytes would
// store the password as a value. They go in the clear unless TLS is on, and are read each time, so that they may be rotated.
// A server that was started with -S speaks the binary protocol alone, and is not asked: list it with the prober tcp.
//
// # Decisions
//
// gomemcache can ping, and cannot ask for stats or log in. Its calls take no context, and a connection that it dials has its
// own timeout. What is left to take from a library are two lines of text, so the package speaks them itself, over one
// connection for each server that is kept between polls (probe.Links). At most 64 KiB are read, and no line over 2 KiB.
package memcached
