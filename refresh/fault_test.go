package refresh_test

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
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

func dialing(err error) error {
	return fmt.Errorf("dial: %w", &net.OpError{
		Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(10, 1, 0, 7), Port: 80}, Err: err,
	})
}

func TestFaultOf(t *testing.T) {
	for _, c := range []struct {
		err            error
		reason, detail string
	}{
		{dialing(os.NewSyscallError("connect", syscall.ECONNREFUSED)), fsm.ReasonRefused, "dial: connect: connection refused"},
		{dialing(os.NewSyscallError("connect", syscall.EHOSTUNREACH)), fsm.ReasonUnreachable, "dial: connect: no route to host"},
		{dialing(os.NewSyscallError("connect", syscall.ENETUNREACH)), fsm.ReasonUnreachable, "dial: connect: network is unreachable"},
		{dialing(os.NewSyscallError("connect", syscall.EPERM)), fsm.ReasonUnreachable, "dial: connect: operation not permitted"},
		{dialing(os.NewSyscallError("socket", syscall.EMFILE)), refresh.ReasonShortage, "dial: socket: too many open files"},
		{
			fmt.Errorf("open a client: %w", dialing(os.NewSyscallError("socket", syscall.ENFILE))), refresh.ReasonShortage,
			"dial: socket: too many open files in system",
		},
		{dialing(os.NewSyscallError("connect", syscall.ETIMEDOUT)), fsm.ReasonTimeout, "dial: connect: connection timed out"},
		{dialing(os.ErrDeadlineExceeded), fsm.ReasonTimeout, "dial: i/o timeout"},
		{dialing(&net.DNSError{Err: "no such host", Name: "db", IsNotFound: true}), fsm.ReasonDNS, "lookup db: no such host"},
		{dialing(&net.DNSError{Err: "i/o timeout", Name: "db", IsTimeout: true}), fsm.ReasonDNS, "lookup db: i/o timeout"},
		{dialing(&net.AddrError{Err: "missing port", Addr: "db"}), fsm.ReasonDNS, "dial: address db: missing port"},
		{dialing(refresh.NewFault(fsm.ReasonForbidden, "not %s", "there")), fsm.ReasonForbidden, "not there"},
		{fmt.Errorf("get /: %w", context.DeadlineExceeded), fsm.ReasonTimeout, "no answer in time"},
		{fmt.Errorf("get /: %w", context.Canceled), fsm.ReasonTimeout, "the poll was cancelled"},
		{&net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}, fsm.ReasonReset, "read: connection reset by peer"},
		{&net.OpError{Op: "write", Net: "tcp", Err: syscall.EPIPE}, fsm.ReasonReset, "write: broken pipe"},
		{fmt.Errorf("wait: %w", io.EOF), fsm.ReasonReset, "closed by the other side: wait: EOF"},
		{io.ErrUnexpectedEOF, fsm.ReasonReset, "unexpected EOF"},
		{io.ErrClosedPipe, fsm.ReasonReset, "io: read/write on closed pipe"},
		{x509.UnknownAuthorityError{}, fsm.ReasonTLS, "x509: certificate signed by unknown authority"},
		{
			&net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}, fsm.ReasonTLS,
			"the server refused: tls: bad certificate",
		},
		{tls.RecordHeaderError{Msg: "not TLS"}, fsm.ReasonTLS, "tls: not TLS"},
		{errors.New("what"), fsm.ReasonProtocol, "what"},
	} {
		got := refresh.FaultOf(c.err)
		if got.Reason != c.reason || got.Detail != c.detail {
			t.Errorf("%v: reason %s, detail %q; wanted are %s, %q", c.err, got.Reason, got.Detail, c.reason, c.detail)
		}
		if !errors.Is(got, c.err) && !errors.Is(c.err, got) {
			t.Errorf("%v: the fault has lost its error", c.err)
		}
	}
}

func TestNewFaultWraps(t *testing.T) {
	if err := refresh.NewFault(fsm.ReasonDecode, "decode: %w", io.EOF); !errors.Is(err, io.EOF) {
		t.Errorf("%v does not wrap what it was made of", err)
	}
}

func TestFailed(t *testing.T) {
	target := refresh.Target{Node: "n1", Address: "2001:db8::7", Port: 80}
	want := fsm.Report{Node: "n1", Reason: fsm.ReasonReset, Detail: "closed by the other side: EOF"}
	if diff := cmp.Diff(want, target.Failed(io.EOF)); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if got := target.HostPort(); got != "[2001:db8::7]:80" {
		t.Errorf("address is %s", got)
	}
}
