package etcd

import (
	"errors"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// wantsLogin says whether a member answered that it does not know who asks: nobody said, or the token is of another time.
func wantsLogin(err error) bool {
	return errors.Is(err, rpctypes.ErrUserEmpty) || errors.Is(err, rpctypes.ErrInvalidAuthToken) ||
		errors.Is(err, rpctypes.ErrAuthOldRevision)
}

// faultOf gives the errors that a member answers with their reasons.
func faultOf(err error) error {
	var said rpctypes.EtcdError
	switch {
	case errors.Is(err, rpctypes.ErrUserEmpty):
		return refresh.NewFault(fsm.ReasonAuth, "no user is named, and the status is for the role root: %w", err)
	case errors.Is(err, rpctypes.ErrPermissionDenied):
		return refresh.NewFault(fsm.ReasonAuth, "the user lacks the role root: %w", err)
	case wantsLogin(err), errors.Is(err, rpctypes.ErrAuthFailed), errors.Is(err, rpctypes.ErrAuthNotEnabled):
		return refresh.NewFault(fsm.ReasonAuth, "%w", err)
	case errors.As(err, &said) && (said.Code() == codes.Unavailable || said.Code() == codes.ResourceExhausted):
		return refresh.NewFault(fsm.ReasonStore, "%w", err)
	case errors.As(err, &said):
		return refresh.NewFault(fsm.ReasonProtocol, "%w", err)
	}
	s, ok := status.FromError(err)
	if !ok {
		return err
	}
	switch s.Code() {
	case codes.Unauthenticated, codes.PermissionDenied:
		return refresh.NewFault(fsm.ReasonAuth, "%s", s.Message())
	case codes.ResourceExhausted:
		return refresh.NewFault(fsm.ReasonTooLarge, "%s", s.Message())
	case codes.Unimplemented:
		return refresh.NewFault(fsm.ReasonProtocol, "is no etcd server: %s", s.Message())
	case codes.Unavailable, codes.Canceled, codes.DeadlineExceeded:
		return err
	}
	return refresh.NewFault(fsm.ReasonProtocol, "%s", s.Message())
}
