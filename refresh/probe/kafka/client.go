package kafka

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"strings"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe"
)

const (
	maxAnswers = 8 << 20  // bytes of all that is read in one poll: some 150,000 partitions of three replicas
	maxShort   = 64 << 10 // bytes of an answer that is never long
)

// client is one connection to one broker.
type client struct {
	conn net.Conn
	sent int32 // the correlation id of the last request

	apis    map[int16]kmsg.ApiVersionsResponseApiKey
	version string
	self    *identity // nil until it was found out
	spent   bool      // a request was given up, so the answers no longer match
}

func (p *Prober) open(ctx context.Context, line *probe.Line, t refresh.Target) (*client, error) {
	conn, err := line.Connect(ctx, t, &p.tls)
	if err != nil {
		return nil, err
	}
	c := &client{conn: conn}
	if err := c.versions(); err != nil {
		return nil, err
	}
	if p.sasl == "" {
		return c, nil
	}
	return c, p.logIn(ctx, c)
}

// Close closes the connection.
func (c *client) Close() { _ = c.conn.Close() }

// ask sends a request and returns the body of its answer to read, which may be limit bytes long.
func (c *client) ask(r kmsg.Request, limit int) (reader, error) {
	c.sent++
	var format kmsg.RequestFormatter
	if _, err := c.conn.Write(format.AppendRequest(nil, r, c.sent)); err != nil {
		return reader{}, err
	}
	head := make([]byte, 8) // length, correlation id
	if _, err := io.ReadFull(c.conn, head); err != nil {
		return reader{}, err
	}
	length, answers := binary.BigEndian.Uint32(head), binary.BigEndian.Uint32(head[4:])
	switch {
	case answers != uint32(c.sent) || length < 4:
		return reader{}, refresh.NewFault(fsm.ReasonProtocol, "is no Kafka broker, or wants TLS: the answer is not Kafka's")
	case length > uint32(limit):
		return reader{}, refresh.NewFault(fsm.ReasonTooLarge,
			"the answer to %s is %d bytes long; at most %d are read", kmsg.NameForKey(r.Key()), length, limit)
	}
	var body bytes.Buffer // grows with what comes, not with what is announced
	if _, err := io.CopyN(&body, c.conn, int64(length)-4); err != nil {
		return reader{}, err
	}
	in := reader{Reader: kbin.Reader{Src: body.Bytes()}, flexible: r.IsFlexible()}
	in.tags() // of the answer's head
	return in, nil
}

// versions asks which requests the broker takes, in the one version that every broker knows.
func (c *client) versions() error {
	in, err := c.ask(&kmsg.ApiVersionsRequest{}, maxShort)
	if err != nil {
		return err
	}
	var answer kmsg.ApiVersionsResponse
	if err := answer.ReadFrom(in.Src); err != nil || len(answer.ApiKeys) == 0 {
		return refresh.NewFault(fsm.ReasonProtocol, "is no Kafka broker: it names no versions of its requests")
	}
	if answer.ErrorCode != 0 {
		return refused("ApiVersions", answer.ErrorCode)
	}
	c.apis = make(map[int16]kmsg.ApiVersionsResponseApiKey, len(answer.ApiKeys))
	for _, api := range answer.ApiKeys {
		c.apis[api.ApiKey] = api
	}
	c.version = release(kversion.FromApiVersionsResponse(&answer).VersionGuess())
	return nil
}

// release makes a version of a guess like "v3.7" or "at least v4.4"; of other guesses none.
func release(guess string) string {
	atLeast, more := strings.CutPrefix(guess, "at least ")
	number, ok := strings.CutPrefix(atLeast, "v")
	switch {
	case !ok:
		return ""
	case more:
		return number + "+"
	}
	return number
}

// choose sets r to the latest version that the broker takes, from least on and up to most.
func (c *client) choose(r kmsg.Request, least, most int16) error {
	api, ok := c.apis[r.Key()]
	name := kmsg.NameForKey(r.Key())
	switch {
	case !ok:
		return refresh.NewFault(fsm.ReasonProtocol, "takes no %s: wanted is a listener for clients of a Kafka broker", name)
	case api.MaxVersion < least || api.MinVersion > most:
		return refresh.NewFault(fsm.ReasonProtocol, "takes %s in the versions %d to %d; known here are %d to %d",
			name, api.MinVersion, api.MaxVersion, least, most)
	}
	r.SetVersion(min(api.MaxVersion, most))
	return nil
}

// refused is the fault of an error code. What a broker says beside the code is left out: it knows the password.
func refused(what string, code int16) error {
	err, reason := kerr.TypedErrorForCode(code), fsm.ReasonStore
	switch err {
	case kerr.SaslAuthenticationFailed, kerr.IllegalSaslState, kerr.UnsupportedSaslMechanism:
		reason = fsm.ReasonAuth
	case kerr.UnsupportedVersion, kerr.InvalidRequest, kerr.UnknownServerError:
		reason = fsm.ReasonProtocol
	}
	return refresh.NewFault(reason, "%s was refused: %s", what, err.Message)
}
