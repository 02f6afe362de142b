// Package sidecar serves the node protocol for one store: it asks the store with a prober, and peers ask it.
//
//	s, err := sidecar.New(sidecar.Config{Listener: ln, Prober: p, Target: t, Log: log, Registerer: reg, Gatherer: reg})
//	err = s.Run(ctx)
//
// GET /v1/node answers with what the store says (refresh.Document), with an ETag, and with 304 while that holds. /livez and
// /readyz are the sidecar's own health: whether its probes end, and whether the store was asked at all. /metrics is for
// Prometheus.
//
// # Promises
//
//   - An answer comes from a probe that ended after the request came, or that began less than half a second before it. Requests
//     that come together share one probe, and there is never more than one.
//   - A stopped store is a document: state down, reason store_unavailable, and what the store last said of its kind, version,
//     ids, attributes and shards, without offsets and lag.
//   - What keeps the sidecar from asking is no word of the store: then the answer is 503 with the reason, and no document. The
//     store's last state stays in the view, and only its reach changes.
//   - Run returns within five seconds of the end of ctx, and all it started has ended then.
//   - Off loopback it serves only with TLS and a token or client certificates, unless Insecure says otherwise.
//
// # What a failed probe means
//
// The sidecar is beside the store, so no network lies between. connection_refused and store_unavailable are a store that is
// down. So are timeout and connection_reset, but one alone may be a moment's stall, and a word that is said is taken at once
// (a failed poll is confirmed first): the first of them is answered 503, which peers confirm half a second later, and from the
// second in a row on the store is down. All else, such as authentication, tls and protocol, is the sidecar's own fault, or the
// work of another program on the store's port.
//
// # Decisions
//
//   - A stopped store leads nobody: a shard of which it was the primary is repeated with the role "down". Peers count who claims
//     to be the primary over all that answer, and the sidecar does answer: after a failover the old word would be a second
//     primary. Other roles are repeated as they were.
//   - The store is asked when somebody asks, so that an event is no later than without a sidecar, and at an interval besides, so
//     that what is repeated of a stopped store is no older than that.
//   - Nothing is kept on disk. A sidecar that starts beside a stopped store knows nothing to repeat.
//   - Certificates and tokens are read anew for each handshake and each request. Both are rare, or cheap beside the probe, and
//     what was replaced holds at once. A certificate that cannot be used leaves the last one in force; a token file that
//     cannot be read admits nobody.
//   - net/http, though it costs more per request than a responder of our own: it is asked a few times a minute, and has TLS.
package sidecar
