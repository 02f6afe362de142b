// Package httpprobe asks nodes with a GET of one path: a node that answers with an expected status is up. For stores and
// services that have a health page and no sidecar.
//
// A status that is not expected is http_status, not a state: the page may be a proxy's, and only a node speaks for itself.
// Redirects are never followed and so can never be expected. Of the body, which may be 1 MiB long, nothing is used.
//
//	{"path": "/healthz", "expect": ["200-299", "429"], "kind": "vault", "version_header": "X-Version"}
//
// All keys may be left out; the path is then "/" and what is expected 200-299. kind is told of every node that
// answers, version_header names the header of the answer in which it tells its version.
//
//	{"path": "/healthz", "tls": true, "tls_ca_file": "ca.pem", "username": "muster", "password_file": "healthz"}
//
// TLS, a token or a login are those of a web page (package probe). They are sent in the clear unless TLS is on. 401 and 403
// then have the reason authentication, unless they are expected. Without them the peer's own client asks, at a fraction of
// the cost.
package httpprobe
