// Package cli is muster's commands: agent, which is a peer, and the verbs that ask one over its API.
//
// New makes a Program, Run one execution of it, in this process and on the streams it was given: that is all that main and
// the tests need. Nothing here is kept between executions, and nothing reads the environment but through Streams.
//
// # What users may rely on
//
//   - Results go to Out, all else to Err. Exit codes: 0, 1 for an error, 2 when a filter matched nothing, 78 when a peer met
//     a log or snapshot of a newer release. A name that does not exist is an error.
//   - -format=json prints what the API answered, lists as one array over all pages. Tables are for people and may change.
//   - Long options take one dash or two, as those who know Consul expect.
//   - Every wait ends with the context. event follow and the watches end well when it is cancelled: there is no other way to
//     end them.
//
// # Decisions
//
//   - The dashes are made two before cobra sees them, with its own flags as the authority on which options take a value, so
//     that a value which begins with a dash stays as it is.
//   - What takes many nodes at a time by a filter shows them first and acts only after a yes: on a terminal it asks, elsewhere
//     it wants -yes.
//   - Ages are told by this machine's clock. A second or two of skew are no matter there, and where exact times count there
//     are the events.
//   - The API has no list from the newest event backwards. cluster show asks for longer and longer spans until it has the
//     last few events of the cluster, since what is worth a look usually happened lately.
//   - apply sends a file as it is written and leaves the defaults to the API, which may be of another release than this
//     program; only the shape is judged here, and what the API refuses is told with the line of the file.
package cli
