// Star holds the shape of the source tree: which folder may import which, where each library is at home, and what
// the replicated state in fsm must not touch. `make check` runs it; it prints one line per offence and exits 1.
//
// The rules are tables in rules.go, read from top to bottom; a change of the project's shape is a change there.
// Decisions:
//
//   - `go list` says which files there are, and star reads their import clauses itself. So an offence is named by
//     file and line, and a file behind a build tag or for another system is held to the rules like any other.
//   - A test file keeps the star between the top-level folders, so that packages can be understood and tested one
//     at a time, but may use any library, and any package below its own top-level folder.
//   - A package whose name ends in "test" (a contract suite, a fake) counts as test code, and nothing but test code
//     may import it. Otherwise it would be a door around the rules.
//   - fsm is checked more closely than by imports alone (pure.go): peers that apply one log must reach one state,
//     so nothing in it may start a goroutine, read a clock or compute with floats. The check is of syntax alone and needs
//     no types: an import by dot, which could hide a clock, is an offence too.
package main
