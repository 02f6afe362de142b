package postgres_test

import (
	"context"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/musterhq/muster/fsm"
)

func TestHostileServers(t *testing.T) {
	encoded := func(messages ...pgproto3.BackendMessage) string {
		var all []byte
		for _, m := range messages {
			var err error
			if all, err = m.Encode(all); err != nil {
				t.Fatal(err)
			}
		}
		return string(all)
	}
	failing := func(code string) string {
		return encoded(&pgproto3.ErrorResponse{Severity: "FATAL", Code: code, Message: "no", Detail: "because"})
	}
	idle := &pgproto3.ReadyForQuery{TxStatus: 'I'}
	hello := encoded(&pgproto3.AuthenticationOk{}, idle)
	for name, c := range map[string]struct{ says, reason, detail string }{
		"a web server":       {"HTTP/1.1 400 Bad Request\r\n\r\n", fsm.ReasonProtocol, "is no PostgreSQL server: it answered \"H"},
		"an SSH server":      {"SSH-2.0-OpenSSH_9.2\r\n", fsm.ReasonProtocol, "is no PostgreSQL server: it answered \"S"},
		"a MySQL server":     {"J\x00\x00\x00\x0a8.0.36\x00", fsm.ReasonProtocol, "is no PostgreSQL server"},
		"a message of 1 MiB": {"R\x00\x10\x00\x00", fsm.ReasonTooLarge, "longer than 65536"},
		"no length":          {"R\x00\x00\x00\x00", fsm.ReasonProtocol, ""},
		"much work": {
			encoded(&pgproto3.AuthenticationSASL{AuthMechanisms: []string{"SCRAM-SHA-256"}}) +
				encoded(&pgproto3.AuthenticationSASLContinue{Data: []byte("r=x,s=QUJD,i=9000000")}), fsm.ReasonAuth, "iterations",
		},
		"password in the clear": {encoded(&pgproto3.AuthenticationCleartextPassword{}), fsm.ReasonAuth, "scram-sha-256"},
		"kerberos":              {encoded(&pgproto3.AuthenticationGSS{}), fsm.ReasonAuth, "scram-sha-256"},
		"another login": {
			encoded(&pgproto3.AuthenticationSASL{AuthMechanisms: []string{"SCRAM-SHA-1"}}), fsm.ReasonAuth, "SCRAM-SHA-256",
		},
		"an end within the login": {
			encoded(&pgproto3.AuthenticationSASL{AuthMechanisms: []string{"SCRAM-SHA-256"}}) + hangUp, fsm.ReasonReset, "",
		},
		"nothing asked":  {hello + encoded(idle), fsm.ReasonProtocol, "answered nothing"},
		"no row":         {hello + encoded(&pgproto3.CommandComplete{}, idle), fsm.ReasonProtocol, "0 rows"},
		"copy out":       {hello + encoded(&pgproto3.CopyOutResponse{}, &pgproto3.CopyDone{}, idle), fsm.ReasonProtocol, ""},
		"not accepting":  {failing("57P03"), fsm.ReasonStore, "no: because (57P03)"},
		"shutting down":  {hello + failing("57P01"), fsm.ReasonStore, "no (57P01)"},
		"full":           {failing("53300"), fsm.ReasonStore, "no (53300)"},
		"refused":        {failing("28000"), fsm.ReasonAuth, "no (28000)"},
		"not allowed":    {hello + failing("42501"), fsm.ReasonAuth, "EXECUTE"},
		"too old":        {hello + failing("42883"), fsm.ReasonProtocol, "PostgreSQL 10"},
		"too slow":       {hello + failing("57014"), fsm.ReasonTimeout, "no (57014)"},
		"other refusals": {failing("3D000"), fsm.ReasonProtocol, "no (3D000)"},
	} {
		for how, size := range map[string]int{"at once": 1 << 20, "by the byte": 1} {
			t.Run(name+" "+how, func(t *testing.T) {
				p := start(t, "", piped(t, func(conn net.Conn) { says(conn, []byte(c.says), size) }))
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				r := p.Probe(ctx, target)
				if r.Reason != c.reason || !strings.Contains(r.Detail, c.detail) {
					t.Errorf("reason is %q (%s), wanted is %q (%s)", r.Reason, r.Detail, c.reason, c.detail)
				}
				if strings.Contains(r.Detail, "failed to connect") {
					t.Errorf("the detail tells pgconn's steps: %s", r.Detail)
				}
			})
		}
	}
}

// says hears a beginning and answers, whatever else it hears, with a text in pieces.
func says(conn net.Conn, text []byte, size int) {
	if _, err := conn.Read(make([]byte, 4096)); err != nil {
		return
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		for piece := range slices.Chunk(text, size) {
			if _, err := conn.Write(piece); err != nil {
				return
			}
		}
	}()
	if strings.HasSuffix(string(text), hangUp) {
		<-written
		return
	}
	_, _ = io.Copy(io.Discard, conn)
	<-written
}

// hangUp ends what a server says before it goes; it begins a message.
const hangUp = "R"

// What a server says of its settings is kept as long as the connection is, so a connection is not kept for ever.
func TestChattyServer(t *testing.T) {
	dialed := 0
	env := piped(t, func(conn net.Conn) {
		row := append([]string(nil), primaryRow...)
		row[2] = strings.Repeat("7", 60_000)
		fake{rows: [][]string{row}}.serve(conn)
	})
	inner := env.Dial
	env.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		dialed++
		return inner(ctx, network, address)
	}
	p := start(t, "", env)
	for range 30 {
		if r := p.Probe(t.Context(), target); !r.Reachable {
			t.Fatalf("report is %+v", r)
		}
	}
	if dialed != 2 {
		t.Errorf("30 polls of 60 kB took %d connections, wanted are 2", dialed)
	}
}
