package kafka

import (
	"context"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe"
)

// The words of the option sasl.
const (
	saslPlain     = "plain"
	saslPlainOpen = "plain-unencrypted"
	saslScram256  = "scram-sha-256"
	saslScram512  = "scram-sha-512"
)

// checkSASL refuses a login that is none, and one that would show the password to the network unasked.
func (p *Prober) checkSASL() error {
	const field = "refresh.config.sasl"
	complete := p.login.Username != "" && p.login.Password != refresh.Secret{}
	switch p.sasl {
	case "":
		if p.login != (probe.Login{}) {
			return fsm.Invalid(field, "is missing beside a login: %s, %s or %s", saslScram512, saslScram256, saslPlain)
		}
		return nil
	case saslPlain:
		if !p.tls.On {
			return fsm.Invalid(field, "would send the password in the clear; set \"tls\": true, or say %q", saslPlainOpen)
		}
	case saslPlainOpen, saslScram256, saslScram512:
	default:
		return fsm.Invalid(field, "is none of %s, %s, %s, %s", saslScram512, saslScram256, saslPlain, saslPlainOpen)
	}
	if !complete {
		return fsm.Invalid(field, "is set without username and password_file or password_env")
	}
	return nil
}

func (p *Prober) mechanism() (sasl.Mechanism, error) {
	password, err := p.login.Reveal(p.env)
	if err != nil {
		return nil, err
	}
	user := p.login.Username
	switch p.sasl {
	case saslScram256:
		return scram.Auth{User: user, Pass: password}.AsSha256Mechanism(), nil
	case saslScram512:
		return scram.Auth{User: user, Pass: password}.AsSha512Mechanism(), nil
	}
	return plain.Auth{User: user, Pass: password}.AsMechanism(), nil
}

// logIn goes through a login to its end. Errors of the mechanisms repeat what belongs to a login, and are not handed on.
func (p *Prober) logIn(ctx context.Context, c *client) error {
	m, err := p.mechanism()
	if err != nil {
		return err
	}
	if err := c.agree(m.Name()); err != nil {
		return err
	}
	session, message, err := m.Authenticate(ctx, "")
	if err != nil {
		return refresh.NewFault(fsm.ReasonAuth, "username or password is empty or cannot be sent")
	}
	for done := false; !done; {
		challenge, err := c.authenticate(message)
		if err != nil {
			return err
		}
		if err := probe.CheckScram(string(challenge)); err != nil {
			return err
		}
		if done, message, err = session.Challenge(challenge); err != nil {
			return refresh.NewFault(fsm.ReasonAuth, "the broker's side of %s is wrong: it does not know the password, or is none",
				m.Name())
		}
	}
	return nil
}

// agree names the mechanism.
func (c *client) agree(mechanism string) error {
	r := &kmsg.SASLHandshakeRequest{Mechanism: mechanism}
	if err := c.choose(r, 1, 1); err != nil {
		return err
	}
	in, err := c.ask(r, maxShort)
	if err != nil {
		return err
	}
	answer := kmsg.SASLHandshakeResponse{Version: r.Version}
	if err := answer.ReadFrom(in.Src); err != nil {
		return refresh.NewFault(fsm.ReasonProtocol, "the answer to SASLHandshake cannot be read")
	}
	switch answer.ErrorCode {
	case 0:
		return nil
	case kerr.UnsupportedSaslMechanism.Code:
		return refresh.NewFault(fsm.ReasonAuth, "takes no logins by %s; it offers %s",
			mechanism, strings.Join(answer.SupportedMechanisms, ", "))
	case kerr.IllegalSaslState.Code:
		return refresh.NewFault(fsm.ReasonAuth, "this listener takes no logins")
	}
	return refused("the login", answer.ErrorCode)
}

func (c *client) authenticate(message []byte) ([]byte, error) {
	r := &kmsg.SASLAuthenticateRequest{SASLAuthBytes: message}
	if err := c.choose(r, 0, 1); err != nil {
		return nil, err
	}
	in, err := c.ask(r, maxShort)
	switch {
	case err != nil && refresh.FaultOf(err).Reason == fsm.ReasonReset:
		return nil, refresh.NewFault(fsm.ReasonAuth, "the broker hangs up on the login, as some do on a wrong password")
	case err != nil:
		return nil, err
	}
	answer := kmsg.SASLAuthenticateResponse{Version: r.Version}
	if err := answer.ReadFrom(in.Src); err != nil {
		return nil, refresh.NewFault(fsm.ReasonProtocol, "the answer to SASLAuthenticate cannot be read")
	}
	if answer.ErrorCode != 0 {
		return nil, refused("the login", answer.ErrorCode)
	}
	return answer.SASLAuthBytes, nil
}
