package postgres

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe"
)

// faultOf gives the errors that a server answers with, and pgconn's own, their reasons.
func faultOf(err error) error {
	var said *pgconn.PgError
	var long *pgproto3.ExceededMaxBodyLenErr
	var fault *refresh.FaultError
	switch {
	case errors.Is(err, probe.ErrStale), errors.As(err, &fault):
		return err
	case errors.As(err, &said):
		return answered(said)
	case errors.As(err, &long):
		return refresh.NewFault(fsm.ReasonTooLarge, "a message is longer than %d bytes", maxMessage)
	}
	return refused(err)
}

// answered is what an error of the server's own means, by the class of its code.
func answered(said *pgconn.PgError) error {
	text := fmt.Sprintf("%s (%s)", said.Message, said.Code)
	if said.Detail != "" && said.Code == "57P03" {
		text = fmt.Sprintf("%s: %s (%s)", said.Message, said.Detail, said.Code)
	}
	switch code := said.Code; {
	case code == "57P01", code == "57P02", code == "57P05":
		return fmt.Errorf("%w: %w", probe.ErrStale, refresh.NewFault(fsm.ReasonStore, "%s", text))
	case code == "42501":
		return refresh.NewFault(fsm.ReasonAuth, "%s: the user needs EXECUTE on it, as PUBLIC has by default", text)
	case code == "42883", code == "42703", code == "42P01":
		return refresh.NewFault(fsm.ReasonProtocol, "%s; PostgreSQL 10 or later is needed", text)
	case strings.HasPrefix(code, "28"):
		return refresh.NewFault(fsm.ReasonAuth, "%s", text)
	case code == "57014":
		return refresh.NewFault(fsm.ReasonTimeout, "%s", text)
	case strings.HasPrefix(code, "53"), strings.HasPrefix(code, "57"), strings.HasPrefix(code, "58"):
		return refresh.NewFault(fsm.ReasonStore, "%s", text)
	}
	return refresh.NewFault(fsm.ReasonProtocol, "%s", text)
}

// refused tells pgconn's refusals, which have no types, by their words; the worst that a change of them does is another
// reason. What pgconn could not read is a fault of its own, since pgconn then closes the connection, and how that ends tells
// less. How a connection ended is left to refresh.FaultOf.
func refused(err error) error {
	inner := cause(err)
	fault := refresh.FaultOf(inner)
	if fault.Reason != fsm.ReasonProtocol {
		return inner
	}
	switch text := err.Error(); {
	case strings.Contains(text, "authentication method requirement"):
		return refresh.NewFault(fsm.ReasonAuth, "the server wants the password in the clear, or a way to log in that is not "+
			"known here: use scram-sha-256 in its pg_hba.conf, or \"tls\": true")
	case strings.Contains(text, "SASL"), strings.Contains(text, "SCRAM"):
		return refresh.NewFault(fsm.ReasonAuth, "%w", inner)
	}
	return fault
}

// cause is what ended a connect, without the steps that led there and the user's name; other errors stay as they are.
func cause(err error) error {
	if _, ok := errors.AsType[*pgconn.ConnectError](err); !ok {
		return err
	}
	for {
		inner := errors.Unwrap(err)
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			inner = many.Unwrap()[len(many.Unwrap())-1]
		}
		if inner == nil {
			return err
		}
		err = inner
	}
}
