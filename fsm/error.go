package fsm

import (
	"errors"
	"fmt"
)

// Code classes an Error; the HTTP face maps each to one status.
type Code string

// The codes of the API.
const (
	CodeInvalid     Code = "invalid"         // 400; Fields name what is wrong
	CodeForbidden   Code = "forbidden"       // 403
	CodeNotFound    Code = "not_found"       // 404
	CodeConflict    Code = "conflict"        // 409
	CodeClaimed     Code = "already_claimed" // 409; the claim is in Fields
	CodeStale       Code = "stale"           // 409; the subject has moved, compute again
	CodeGone        Code = "gone"            // 410; Fields["oldest"] is the oldest cursor
	CodeCAS         Code = "cas_failed"      // 412
	CodeTooLarge    Code = "too_large"       // 413
	CodeUnavailable Code = "unavailable"     // 503; nothing was done
	CodeUnknown     Code = "unknown"         // 503; it may or may not have been done
)

// Error is what crosses the API and comes back from the log: a code, a sentence that says what to do, and the fields it
// is about.
type Error struct {
	Code    Code              `cbor:"1,keyasint" json:"code"`
	Message string            `cbor:"2,keyasint" json:"message"`
	Fields  map[string]string `cbor:"3,keyasint,omitempty" json:"fields,omitempty"`
}

func (e *Error) Error() string { return e.Message }

// Is matches errors by code, so that errors.Is(err, ErrNotFound) holds for every "not found".
func (e *Error) Is(target error) bool {
	var t *Error
	return errors.As(target, &t) && t.Code == e.Code && t.Message == ""
}

// Sentinels to match with errors.Is; what is returned carries a message and fields of its own.
var (
	ErrInvalid     error = &Error{Code: CodeInvalid}
	ErrNotFound    error = &Error{Code: CodeNotFound}
	ErrConflict    error = &Error{Code: CodeConflict}
	ErrClaimed     error = &Error{Code: CodeClaimed}
	ErrStale       error = &Error{Code: CodeStale}
	ErrGone        error = &Error{Code: CodeGone}
	ErrCAS         error = &Error{Code: CodeCAS}
	ErrTooLarge    error = &Error{Code: CodeTooLarge}
	ErrUnavailable error = &Error{Code: CodeUnavailable}
	ErrUnknown     error = &Error{Code: CodeUnknown}
)

// Errorf makes an Error of a code.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Invalid makes the error for one bad field: which field, what was found, what would be right.
func Invalid(field, format string, args ...any) *Error {
	msg := fmt.Sprintf(format, args...)
	return &Error{Code: CodeInvalid, Message: field + ": " + msg, Fields: map[string]string{field: msg}}
}

// With adds a field and returns e.
func (e *Error) With(key, value string) *Error {
	if e.Fields == nil {
		e.Fields = map[string]string{}
	}
	e.Fields[key] = value
	return e
}

// errUnknownKind marks what a newer release wrote and this one must not skip: the process stops.
var errUnknownKind = errors.New("written by a newer release")
