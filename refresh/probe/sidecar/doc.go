// Package sidecar asks nodes by the muster node protocol: one GET, answered by a document or by 304.
//
//	{"tls": true, "tls_ca_file": "sidecars-ca.pem", "token_file": "sidecars"}
//
// The options are those of a web page (package probe): TLS, and a token or a login, which are sent in the clear unless TLS is
// on. They are read anew for each connection and each request, so that they may be replaced. A sidecar that wants another
// token or login makes the reason authentication. Without options the peer's own client asks, at a fraction of the cost.
//
// The prober keeps no answers: the caller keeps the report with its tag (refresh.Conditional). A node that sends a tag that
// could not be sent back, or one longer than 256 bytes, is asked without a condition. An X-Muster-Lag that is no whole
// number of milliseconds is passed over: it only says when to look closer.
package sidecar
