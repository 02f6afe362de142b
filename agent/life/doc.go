// Package life is how long what a peer does goes on: the end of the peer, the functions that run until then, and waits and beats that
// end early.
//
// Whoever starts Parts owns them: it waits for all of them, and none outlives the Running.
package life
