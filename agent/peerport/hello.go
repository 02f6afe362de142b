package peerport

import (
	"encoding/binary"
	"errors"
	"io"
)

const (
	magic        = 0xD5
	frameVersion = 1
	frameHead    = 4
	maxFrame     = 256
	maxIDLen     = 64
)

var (
	errFrameLength  = errors.New("frame too long")
	errFrameFormat  = errors.New("malformed frame")
	errFrameVersion = errors.New("unknown frame version")
)

// hello is how a caller introduces itself, and answer what it is told. instance
// is drawn anew by each Port.
type hello struct{ group, from, to, instance string }

type answer struct {
	reason    Reason
	group, id string
}

// validID keeps ids fit for a frame, a header, a URL's host and a log line.
func validID(id string) bool {
	if id == "" || len(id) > maxIDLen {
		return false
	}
	for _, c := range []byte(id) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

// judge is the one rule by which this peer takes or refuses a caller, on raft
// connections and on peer-HTTP. A foreign group is told first: it explains most.
// A caller with this peer's id is a double, unless it is this very port: that
// happens when another peer's address has become ours.
func (p *Port) judge(h hello) Reason {
	own := p.cfg.Group()
	switch {
	case !validID(h.from) || len(h.group) > maxIDLen:
		return Malformed
	case h.group != "" && own != "" && h.group != own:
		return WrongGroup
	case h.from == p.cfg.ID && h.instance != p.instance:
		return DuplicateID
	case h.to != p.cfg.ID:
		return WrongPeer
	case p.cfg.Member != nil && !p.cfg.Member(h.from):
		return NotMember
	default:
		return accepted
	}
}

func writeHello(w io.Writer, h hello) error {
	return writeFrame(w, appendStrings(nil, h.group, h.from, h.to, h.instance))
}

// readHello reads what follows the magic byte.
func readHello(r io.Reader) (hello, error) {
	body, err := readFrame(r)
	if err != nil {
		return hello{}, err
	}
	var h hello
	if !cutStrings(body, &h.group, &h.from, &h.to, &h.instance) {
		return hello{}, errFrameFormat
	}
	return h, nil
}

func writeAnswer(w io.Writer, a answer) error {
	return writeFrame(w, appendStrings([]byte{byte(a.reason)}, a.group, a.id))
}

func readAnswer(r io.Reader) (answer, error) {
	var first [1]byte
	if _, err := io.ReadFull(r, first[:]); err != nil {
		return answer{}, err
	}
	if first[0] != magic {
		return answer{}, errFrameFormat
	}
	body, err := readFrame(r)
	if err != nil {
		return answer{}, err
	}
	var a answer
	if len(body) == 0 || !cutStrings(body[1:], &a.group, &a.id) {
		return answer{}, errFrameFormat
	}
	a.reason = Reason(body[0])
	return a, nil
}

// writeFrame writes in one piece: one packet, and no half frame but by a fault.
func writeFrame(w io.Writer, body []byte) error {
	if frameHead+len(body) > maxFrame {
		return errFrameLength
	}
	frame := []byte{magic, frameVersion}
	frame = binary.BigEndian.AppendUint16(frame, uint16(len(body)))
	_, err := w.Write(append(frame, body...))
	return err
}

// readFrame reads exactly the frame, whose magic byte was read already.
func readFrame(r io.Reader) ([]byte, error) {
	var head [frameHead - 1]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	length := int(binary.BigEndian.Uint16(head[1:]))
	if frameHead+length > maxFrame {
		return nil, errFrameLength
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, err
	}
	if head[0] != frameVersion {
		return nil, errFrameVersion
	}
	return body, nil
}

func appendStrings(b []byte, parts ...string) []byte {
	for _, s := range parts {
		b = append(b, byte(len(s)))
		b = append(b, s...)
	}
	return b
}

// cutStrings fills parts from b and reports whether b held exactly those.
func cutStrings(b []byte, parts ...*string) bool {
	for _, s := range parts {
		if len(b) == 0 || len(b)-1 < int(b[0]) {
			return false
		}
		*s, b = string(b[1:1+b[0]]), b[1+b[0]:]
	}
	return len(b) == 0
}
