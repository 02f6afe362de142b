package peerport

import (
	"errors"
	"fmt"
)

// Reason says why a peer refused another. Its numbers are part of the frame
// and its names of peer-HTTP's errors; neither is ever reused.
type Reason uint8

// The reasons of a refusal.
const (
	// WrongGroup: both peers have a group, and not the same.
	WrongGroup Reason = iota + 1
	// WrongPeer: whoever answers at the address is not the peer wanted.
	WrongPeer
	// DuplicateID: the caller carries the answering peer's own id.
	DuplicateID
	// Malformed: the caller's introduction cannot be read.
	Malformed
	// UnknownVersion: the frame is of a version the answering peer does not know.
	UnknownVersion
	// Closing: the answering peer takes no more raft streams.
	Closing
	// NeedsTLS: the caller speaks plain TCP, and the answering peer TLS alone.
	NeedsTLS
	// NotMember: the caller is no member of the group, as far as the answering
	// peer knows.
	NotMember
)

const accepted Reason = 0

var reasonNames = [...]string{
	accepted:       "accepted",
	WrongGroup:     "wrong_group",
	WrongPeer:      "wrong_peer",
	DuplicateID:    "duplicate_id",
	Malformed:      "malformed",
	UnknownVersion: "unknown_version",
	Closing:        "closing",
	NeedsTLS:       "tls_required",
	NotMember:      "not_member",
}

// String is the reason's name, in metrics and in peer-HTTP's error codes.
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return fmt.Sprintf("reason_%d", uint8(r))
}

func reasonNamed(name string) (Reason, bool) {
	for r, n := range reasonNames {
		if n == name && Reason(r) != accepted {
			return Reason(r), true
		}
	}
	return accepted, false
}

var (
	// ErrRefused is what every RefusedError is.
	ErrRefused = errors.New("refused")
	// ErrUnknownPeer means that Resolve has no address for the id.
	ErrUnknownPeer = errors.New("no address known")
	// ErrHopLimit means that the request was forwarded already.
	ErrHopLimit = errors.New("forwarded already")
	// ErrTooLarge means that the answer is longer than Config.MaxResponse.
	ErrTooLarge = errors.New("answer too large")
)

// RefusedError is a refusal as the calling side sees it. Nothing was carried out.
type RefusedError struct {
	Reason Reason
	// From and Group are the caller's own, To the peer it wanted.
	From, Group, To string
	// Peer and PeerGroup are those of whoever answered; "" where it did not say.
	Peer, PeerGroup string
}

func (e *RefusedError) Error() string {
	if e.Reason == Malformed && e.From == "" { // most likely a person's
		return "this is no peer's request, and the port is for peers; the API is at -http-addr, which is port 8650 unless somebody said otherwise"
	}
	text := fmt.Sprintf("peer %s refused by peer %s", e.From, e.To)
	switch e.Reason {
	case WrongGroup:
		return fmt.Sprintf("%s: wrong group (own %q, theirs %q)", text, e.Group, e.PeerGroup)
	case WrongPeer:
		return fmt.Sprintf("peer %s wanted peer %s: wrong peer, its address is that of peer %s", e.From, e.To, e.Peer)
	case DuplicateID:
		return fmt.Sprintf("%s: id %s is claimed twice", text, e.From)
	case NeedsTLS:
		return text + ": it speaks TLS and this peer does not; give this one -ca-file, -cert-file and -key-file too"
	case NotMember:
		return text + ": this peer is not in its group"
	default:
		return fmt.Sprintf("%s: %s", text, e.Reason)
	}
}

// Is makes every refusal an ErrRefused.
func (e *RefusedError) Is(target error) bool { return target == ErrRefused }

// DialError means that the peer could not be connected to. Nothing was sent.
type DialError struct {
	Peer string
	Addr string // "" when the id has no address
	Err  error
}

func (e *DialError) Error() string {
	if e.Addr == "" {
		return fmt.Sprintf("dial peer %s: %v", e.Peer, e.Err)
	}
	return fmt.Sprintf("dial peer %s at %s: %v", e.Peer, e.Addr, e.Err)
}

func (e *DialError) Unwrap() error { return e.Err }

// NotSent reports whether err, from Client.Do or RoundTrip, means that the
// request was surely not carried out, so that it may be sent again whatever it
// was.
func NotSent(err error) bool {
	var dial *DialError
	return errors.As(err, &dial) || errors.Is(err, ErrRefused) || errors.Is(err, ErrHopLimit)
}
