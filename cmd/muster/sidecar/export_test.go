package sidecar

// How many connections there may be, and from one address.
const (
	MaxConns   = maxConns
	MaxConnsOf = maxConnsOf
)
