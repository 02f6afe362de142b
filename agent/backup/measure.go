package backup

import (
	"crypto/sha256"
	"hash"
	"io"
)

// measure passes on what it is given, and knows how much it was and its digest.
type measure struct {
	to     io.Writer
	digest hash.Hash
	size   int64
}

func newMeasure(to io.Writer) *measure { return &measure{to: to, digest: sha256.New()} }

func (m *measure) Write(p []byte) (int, error) {
	n, err := m.to.Write(p)
	m.digest.Write(p[:n])
	m.size += int64(n)
	return n, err
}
