package refresh

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/musterhq/muster/fsm"
)

// FaultError is why a node could not be asked: one of fsm's reason codes, and text for people.
type FaultError struct {
	Reason string
	Detail string
	cause  error
}

// NewFault makes a fault that no underlying error explains better.
func NewFault(reason, format string, args ...any) *FaultError {
	err := fmt.Errorf(format, args...)
	return &FaultError{Reason: reason, Detail: err.Error(), cause: errors.Unwrap(err)}
}

func (f *FaultError) Error() string { return f.Reason + ": " + f.Detail }

func (f *FaultError) Unwrap() error { return f.cause }

// ReasonShortage is why a poll failed for want of something on this side, such as files it may open. It says nothing of the
// node, so it never reaches a view: the refresh fails instead.
const ReasonShortage = "own_shortage"

// FaultOf is the one place that turns an error of a poll into a reason code. A FaultError within err speaks for itself; of the
// rest what is known best decides: our own shortage, the name, then time, then what the system said. An error nothing is
// known of happened while dialing (no_route) or while talking (protocol).
func FaultOf(err error) *FaultError {
	if f, ok := errors.AsType[*FaultError](err); ok {
		return f
	}
	return &FaultError{Reason: reasonOf(err), Detail: detailOf(err), cause: err}
}

func reasonOf(err error) string {
	var name *net.DNSError
	var address *net.AddrError
	var op *net.OpError
	switch {
	case isAny(err, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM):
		return ReasonShortage
	case errors.As(err, &name):
		return fsm.ReasonDNS
	case timedOut(err):
		return fsm.ReasonTimeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return fsm.ReasonRefused
	case isAny(err, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.ENETDOWN,
		syscall.EADDRNOTAVAIL, syscall.EACCES, syscall.EPERM):
		return fsm.ReasonUnreachable
	case isAny(err, syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE, io.EOF, io.ErrUnexpectedEOF,
		io.ErrClosedPipe, net.ErrClosed):
		return fsm.ReasonReset
	case overTLS(err):
		return fsm.ReasonTLS
	case errors.As(err, &address):
		return fsm.ReasonDNS
	case errors.As(err, &op) && op.Op == "dial":
		return fsm.ReasonUnreachable
	}
	return fsm.ReasonProtocol
}

func timedOut(err error) bool {
	if isAny(err, context.DeadlineExceeded, context.Canceled, os.ErrDeadlineExceeded, syscall.ETIMEDOUT) {
		return true
	}
	var late net.Error
	return errors.As(err, &late) && late.Timeout()
}

func overTLS(err error) bool {
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var verify *tls.CertificateVerificationError
	var host x509.HostnameError
	var authority x509.UnknownAuthorityError
	var certificate x509.CertificateInvalidError
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" { // an alert of the other side; crypto/tls has no other mark for one
		return true
	}
	return errors.As(err, &record) || errors.As(err, &alert) || errors.As(err, &verify) ||
		errors.As(err, &host) || errors.As(err, &authority) || errors.As(err, &certificate)
}

func isAny(err error, targets ...error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// detailOf leaves out the addresses of both ends, which the reader knows or cannot use.
func detailOf(err error) string {
	var name *net.DNSError
	var op *net.OpError
	switch {
	case errors.Is(err, context.Canceled):
		return "the poll was cancelled"
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.As(err, &name):
		return name.Error()
	case errors.As(err, &op) && op.Op == "remote error":
		return "the server refused: " + op.Err.Error()
	case op != nil && op.Err != nil:
		return op.Op + ": " + op.Err.Error()
	case errors.Is(err, io.EOF):
		return "closed by the other side: " + err.Error()
	}
	return err.Error()
}
