package gossip

import (
	"encoding/binary"
	"errors"
	"net"
	"sync/atomic"
)

const (
	streamBytes = 2 << 20  // read from one stream: twice what a full roster takes
	allBytes    = 16 << 20 // read from all streams that are open, before anybody knows who sends it
)

var errStreamBytes = errors.New("gossip: the stream holds more than a roster can")

// stream is a connection that gives its place back when it is closed. What it
// may bring is bounded: memberlist takes 20 MiB before it has decrypted a byte.
type stream struct {
	net.Conn
	of      *sockets
	release func()
	read    atomic.Int64
	head    []byte // what was read up to the type of the first message; one goroutine reads
	typed   bool   // that type is known
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	if one, all := s.read.Add(int64(n)), s.of.read.Add(int64(n)); one > streamBytes || all > allBytes {
		s.of.refused("bytes")
		return 0, errors.Join(errStreamBytes, s.Close())
	}
	if s.of.clear && !s.typed && s.packed(p[:n]) {
		s.of.refused("compressed")
		return 0, errors.Join(errCompressed, s.Close())
	}
	return n, err
}

// packed takes in the beginning of a stream and says whether it is compressed.
func (s *stream) packed(p []byte) bool {
	s.head = append(s.head, p...)
	rest, ok := unlabelled(s.head)
	if !ok || len(rest) == 0 {
		return false
	}
	s.typed, s.head = true, nil
	return rest[0] == typeCompressed
}

func (s *stream) giveBack() { s.of.read.Add(-s.read.Load()) }

func (s *stream) Close() error {
	s.release()
	return s.Conn.Close()
}

// The types of messages that hold others, by memberlist's numbers.
const (
	typeCompound   = 7
	typeCompressed = 9
	typeChecked    = 12
	typeLabelled   = 244
)

const nested = 4 // messages within messages; peers of muster nest them once

var errCompressed = errors.New("gossip: the stream is compressed, which no peer does")

// compressed says whether a packet in the clear holds a compressed message,
// which memberlist would unpack to whatever size it has. No peer sends any. A
// packet that nests deeper than peers do counts as one.
func compressed(packet []byte, depth int) bool {
	rest, ok := unlabelled(packet)
	if ok && len(rest) >= 5 && rest[0] == typeChecked {
		rest = rest[5:]
	}
	return ok && compressedMessage(rest, depth)
}

func compressedMessage(m []byte, depth int) bool {
	if len(m) < 2 {
		return false
	}
	switch m[0] {
	case typeCompressed:
		return true
	case typeCompound:
	default:
		return false
	}
	parts := int(m[1])
	if depth == 0 || len(m) < 2+2*parts {
		return true
	}
	body := m[2+2*parts:]
	for i := range parts {
		size := int(binary.BigEndian.Uint16(m[2+2*i:]))
		if size > len(body) {
			return false // what follows is not looked at by memberlist either
		}
		if compressedMessage(body[:size], depth-1) {
			return true
		}
		body = body[size:]
	}
	return false
}

// unlabelled takes memberlist's label off; false while it is not there whole.
func unlabelled(b []byte) ([]byte, bool) {
	if len(b) == 0 || b[0] != typeLabelled {
		return b, len(b) > 0
	}
	if len(b) < 2 || len(b) < 2+int(b[1]) {
		return nil, false
	}
	return b[2+int(b[1]):], true
}
