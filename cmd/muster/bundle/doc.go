// Package bundle gathers what there is to know about one peer over a while into an archive that can be handed on: who it is, its
// settings, numbers as they move, profiles, and its log from debug on.
//
// It asks the API alone and sends what it was told, so what a bundle holds is what the peer tells whoever has the same token. No
// part holds a secret: the peer tells of its settings only what is known to be none. Clusters and nodes are named by the log, and
// by the part that is there for that and is left out unless it is asked for.
//
// What fails is told in index.json and lets the rest be. What was gathered when it is interrupted is kept.
package bundle
