package consul

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/hashicorp/consul/api"
)

// maxStale is how far behind its leader a server may be to be believed.
const maxStale = 10 * time.Second

// rights are what reading the catalog takes.
const rights = `service_prefix "" {policy = "read"} node_prefix "" {policy = "read"}`

// guard refuses an answer that may be less than everything.
func (c *Caller) guard(meta *api.QueryMeta) error {
	switch {
	case !meta.KnownLeader:
		return errors.New("the answer came without a known leader; Consul has lost it, or something other than Consul answers")
	case meta.ResultsFilteredByACLs:
		return fmt.Errorf("results were left out for want of rights; give the token %s", c.rights)
	case meta.LastContact > maxStale:
		return fmt.Errorf("the server that answered is %s behind its leader; at most %s are allowed", meta.LastContact, maxStale)
	}
	return nil
}

// checkToken reads the token itself: Consul may answer one that is not good with an empty list and no error.
func (c *Caller) checkToken(ctx context.Context) error {
	token, meta, err := ask(ctx, c, call{timeout: callTimeout},
		func(to *api.Client, o *api.QueryOptions) (*api.ACLToken, *api.QueryMeta, error) {
			token, meta, err := to.ACL().TokenReadSelf(o)
			if noACLs(err) {
				return nil, &api.QueryMeta{KnownLeader: true}, nil
			}
			return token, meta, err
		})
	switch {
	case err != nil:
		return fmt.Errorf("reading its own token: %w", err)
	case token != nil && token.AccessorID == "":
		return errors.New("reading its own token: the answer holds none")
	case token != nil && token.AccessorID == anonymous && meta.DefaultACLPolicy != "allow":
		return fmt.Errorf("no token is set, and Consul does not let everyone read; set token_file to one with %s", c.rights)
	}
	return nil
}

const anonymous = "00000000-0000-0000-0000-000000000002" // Consul's accessor id for callers without a token

func noACLs(err error) bool {
	var status api.StatusError
	return errors.As(err, &status) && status.Code == http.StatusUnauthorized &&
		strings.Contains(status.Body, "ACL support disabled")
}

// explain says what to do about an error that has a usual remedy. Errors of statuses can still be told by errors.As. What stands between
// this and Consul may repeat what it was sent: the token is taken out.
func (c *Caller) explain(err error, token string) error {
	var status api.StatusError
	if !errors.As(err, &status) {
		return err
	}
	answer := fmt.Sprintf("Consul answered %d", status.Code)
	said := status.Body
	if token != "" {
		said = strings.ReplaceAll(said, token, "…")
	}
	if said = clean(said); said != "" {
		answer += " (" + said + ")"
	}
	remedy := ""
	switch status.Code {
	case http.StatusForbidden:
		remedy = "; check the token of this peer, it needs " + c.rights
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		remedy = "; it is asked for less, lower concurrency or lengthen interval if this goes on"
	case http.StatusInternalServerError:
		remedy = "; check datacenter, and whether Consul has a leader"
	}
	return &answerError{text: answer + remedy, status: api.StatusError{Code: status.Code}}
}

// answerError is a status with what to do about it; it drops the body, which may be of any size.
type answerError struct {
	text   string
	status api.StatusError
}

func (e *answerError) Error() string { return e.text }
func (e *answerError) Unwrap() error { return e.status }

// clean is the beginning of what a server said, fit for one line of a log.
func clean(body string) string {
	const most = 200
	if len(body) > most {
		body = strings.ToValidUTF8(body[:most], "") + "…"
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, body))
}
