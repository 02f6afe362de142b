package sidecar

// MaxConnsOf is how many connections one address may have.
const MaxConnsOf = maxConnsOf
