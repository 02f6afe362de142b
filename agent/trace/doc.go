// Package trace tells an OpenTelemetry collector which steps the group's work took, and how long each of them lasted. It is the
// only home of the OpenTelemetry libraries: other packages declare what they need of a Tracer. Step is written in each of them, since
// they import fsm alone and a step is nothing that muster knows; as an alias it is one type all the same.
//
// # What hangs together
//
// A request to the API is a trace, with all that is asked of the leader for it over the peer port (Request, Inject, Serve).
//
// A claim is another one. The log carries no trace, and the peer that is named by a claim sees it in its own replica; so the ids
// of a claim's trace are a hash of the group, the subject and the token, which every peer computes for itself. The leader's
// span of the grant has the id that the holder's spans take as their parent. A request that asked for a claim links to its trace.
//
// # What is followed
//
// Whether a claim is followed is read off its trace's id, so that leader and holder agree without a word between them. Of requests
// and of claims that is the configured share; those that a caller follows, and claims an operator asked for, always are.
//
// # What it may cost
//
// Nothing while it is off: a nil Tracer does nothing and allocates nothing, as does one that does not follow. Ended spans wait in a bounded
// queue, from which one goroutine sends them; when it is full they are dropped and counted. Nobody ever waits for a collector, save
// a peer that stops, for a moment.
//
// # What is told
//
// Names of clusters and discoveries, ids, counts and codes. Never the text of an error, which may quote what somebody typed, nor an
// address, a query or a header. What the libraries could take from the environment is said to them, so that it is not; what
// OTEL_RESOURCE_ATTRIBUTES adds to the description of the peer is all that is left of it.
package trace
