package mysql_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// script says its packets, each but the first after it heard one, and then listens until the other side has gone. It gives
// what it heard.
func script(conn net.Conn, packets ...string) (heard []string) {
	defer func() { _, _ = io.Copy(io.Discard, conn) }()
	for i, p := range packets {
		if i > 0 {
			heard = append(heard, hear(conn))
		}
		if say(conn, p) != nil {
			return heard
		}
	}
	return heard
}

// TestHostileServers has servers that break go-sql-driver/mysql, or any reader that believes what it is told.
func TestHostileServers(t *testing.T) {
	in := []string{hello, packet(2, welcome)}
	answers := func(packets ...string) []string { return append(slices.Clone(in), strings.Join(packets, "")) }
	refuses := func(number int) string {
		return "\xff" + string([]byte{byte(number), byte(number >> 8)}) + "#HY000no"
	}
	for name, c := range map[string]struct {
		says           []string
		reason, detail string
	}{
		"a web server": {
			[]string{"HTTP/1.1 400 Bad Request\r\n\r\n"},
			fsm.ReasonProtocol, `is no MySQL server: it answered "HTTP/1.1`,
		},
		"an SSH server": {[]string{"SSH-2.0-OpenSSH_9.2\r\n"}, fsm.ReasonProtocol, "is no MySQL server"},
		"another protocol": {
			[]string{packet(0, "\x09"+hello[5:])},
			fsm.ReasonProtocol, "is no MySQL server",
		},
		"a short greeting": {[]string{packet(0, "\x0ahello")}, fsm.ReasonProtocol, "older"},
		"no scramble": {
			[]string{packet(0, "\x0a8.0\x00\x01\x00\x00\x00")},
			fsm.ReasonProtocol, "older",
		},
		"full": {
			[]string{packet(0, "\xff\x10\x04Too many connections")},
			fsm.ReasonStore, "Too many connections (1040)",
		},
		"not from here": {
			[]string{packet(0, "\xff\x6a\x04Host is not allowed")},
			fsm.ReasonAuth, "(1130)",
		},
		"a short refusal":       {[]string{hello, packet(2, "\xff\x10")}, fsm.ReasonProtocol, "refusal"},
		"a login of 16 MiB":     {[]string{hello, "\xff\xff\xff\x02"}, fsm.ReasonTooLarge, "65536"},
		"an empty packet":       {[]string{hello, "\x00\x00\x00\x02"}, fsm.ReasonProtocol, "empty"},
		"a packet out of order": {[]string{hello, packet(9, welcome)}, fsm.ReasonProtocol, "order"},
		"an unknown login":      {[]string{hello, packet(2, "\xfeparsec\x00salt")}, fsm.ReasonAuth, `"parsec"`},
		"the oldest login":      {[]string{hello, packet(2, "\xfe")}, fsm.ReasonAuth, "not known"},
		"a short scramble": {
			[]string{hello, packet(2, "\xfemysql_native_password\x00salt")},
			fsm.ReasonProtocol, "login",
		},
		"in the clear": {
			[]string{hello, packet(2, "\xfemysql_clear_password\x00")},
			fsm.ReasonAuth, "over TLS only",
		},
		"by the older hash": {
			[]string{hello, packet(2, "\xfesha256_password\x00abcdefghijklmnopqrst\x00")},
			fsm.ReasonAuth, "over TLS only",
		},
		"the password, if you like": {[]string{hello, packet(2, "\x01\x04")}, fsm.ReasonAuth, "over TLS only"},
		"more of nothing":           {[]string{hello, packet(2, "\x01")}, fsm.ReasonProtocol, "login"},
		"a login without end": {
			[]string{hello, packet(2, "\x01\x03") + packet(3, "\x01\x03") + packet(4, "\x01\x03") + packet(5, "\x01\x03") +
				packet(6, "\x01\x03") + packet(7, "\x01\x03") + packet(8, "\x01\x03")}, fsm.ReasonProtocol, "does not end",
		},
		"a file, please": {answers(packet(1, "\xfb/etc/passwd")), fsm.ReasonProtocol, "does not answer"},
		"nothing":        {answers(packet(1, welcome)), fsm.ReasonProtocol, "does not answer"},
		"2^44 columns": {
			answers(packet(1, "\xfe\x00\x00\x00\x00\x00\x10\x00\x00")),
			fsm.ReasonTooLarge, "256 columns",
		},
		"a column cut short": {
			answers(packet(1, "\x01"), packet(2, "\x03def\x00\x00")),
			fsm.ReasonProtocol, "column",
		},
		"a huge name": {
			answers(packet(1, "\x01"), packet(2, "\xfe\xff\xff\xff\xff\xff\xff\xff\xff")),
			fsm.ReasonProtocol, "column",
		},
		"columns without end": {
			answers(packet(1, "\x01"), packet(2, "\x03def\x00\x00\x00\x01n\x01n"), packet(3, "\x01x")), fsm.ReasonProtocol, "list",
		},
		"a row cut short": {
			answers(packet(1, "\x01"), packet(2, "\x03def\x00\x00\x00\x01n\x01n"), packet(3, "\xfe\x00\x00\x00\x00"), packet(4, "\x09x")),
			fsm.ReasonProtocol, "row",
		},
		"many rows": {
			answers(list(append([][]string{{"n"}}, slices.Repeat([][]string{{"x"}}, 300)...))),
			fsm.ReasonTooLarge, "256 rows",
		},
		"shutting down":           {answers(packet(0, refuses(1053))), fsm.ReasonStore, "(1053)"},
		"offline":                 {answers(packet(1, refuses(3032))), fsm.ReasonStore, "(3032)"},
		"no right":                {answers(packet(1, refuses(1227))), fsm.ReasonAuth, "GRANT REPLICATION CLIENT"},
		"no right to see members": {answers(packet(1, refuses(1142))), fsm.ReasonAuth, "replication_group_members"},
		"other refusals":          {answers(packet(1, refuses(1064))), fsm.ReasonProtocol, "(1064)"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			p := start(t, `{"password_env":"MYSQL"}`, piped(t, func(conn net.Conn) { script(conn, c.says...) }))
			r := p.Probe(ctx, target)
			if r.Reason != c.reason || !strings.Contains(r.Detail, c.detail) {
				t.Errorf("reason is %q (%s), wanted is %q (%s)", r.Reason, r.Detail, c.reason, c.detail)
			}
		})
	}
}

// FuzzServer says anything at all after a right beginning of so many packets.
func FuzzServer(f *testing.F) {
	f.Add(0, []byte(hello))
	f.Add(1, []byte(packet(2, "\xfeclient_ed25519\x00abcdefghijklmnopqrstuvwxyzabcdef")))
	f.Add(2, []byte(list(primary[variables])))
	f.Fuzz(func(t *testing.T, after int, noise []byte) {
		says := []string{hello, packet(2, welcome)}
		p := start(t, "", piped(t, func(conn net.Conn) {
			for i := range min(max(after, 0), len(says)) {
				if say(conn, says[i]) != nil || hear(conn) == "" {
					return
				}
			}
			go func() { _, _ = io.Copy(io.Discard, conn) }()
			_, _ = conn.Write(noise)
		}))
		if r := p.Probe(t.Context(), target); !r.Reachable && r.Reason == "" {
			t.Errorf("report is %+v", r)
		}
	})
}

// The proofs of the two ways that need no server are those of other clients.
func TestProofs(t *testing.T) {
	const salt = "\x0a\x2f\x4a\x6f\x4b\x49\x22\x30\x58\x4c\x72\x4a\x25\x0d\x03\x50\x52\x02\x17\x15"
	for plugin, want := range map[string]string{
		"caching_sha2_password": "f490e76f66d9d86665ce54d98c78d0acfe2fb0b08b423da807144873d30b312c",
		"mysql_native_password": "6a149bdd80bda1ebf0fa2bd2cf2e9717fecc34bb",
	} {
		t.Run(plugin, func(t *testing.T) {
			heard := make(chan []string, 1)
			env := piped(t, func(conn net.Conn) {
				heard <- script(conn, hello, packet(2, "\xfe"+plugin+"\x00"+salt+"\x00"), packet(4, "\xff\x15\x04#28000denied"))
			})
			env.Reveal = func(refresh.Secret) (string, error) { return "secret", nil }
			p := start(t, `{"password_env":"MYSQL"}`, env)
			if r := p.Probe(t.Context(), target); r.Reason != fsm.ReasonAuth || strings.Contains(r.Detail, "secret") {
				t.Errorf("report is %+v", r)
			}
			if got := fmt.Sprintf("%x", (<-heard)[1]); got != want {
				t.Errorf("the proof is %s, wanted is %s", got, want)
			}
		})
	}
}
