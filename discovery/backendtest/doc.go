// Package backendtest is the contract of discovery.Backend as tests: every backend runs the same suite over its own kind
// of source, and passes before it is composed into the agent.
//
// The suite holds that a read is the whole set or an error, however the source is broken; that it ends with its context;
// that it may be asked from many sides at once; that a nudged read gives what was named; that a watch begins with
// everything, names what moves, and ends with its context; and that nothing runs on after Close.
package backendtest
