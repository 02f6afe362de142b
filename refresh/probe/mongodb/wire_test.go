package mongodb_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/musterhq/muster/fsm"
)

// What the fake says is understood by the driver, login and all: it speaks the protocol, not only what is wanted here.
func TestFakeServesTheDriver(t *testing.T) {
	for _, mechanism := range []string{"SCRAM-SHA-1", "SCRAM-SHA-256"} {
		u := &user{name: "muster", password: "hunter2", mechanisms: []string{mechanism}}
		answers := replica(1, 0, e("isWritablePrimary", true), e("minWireVersion", 0))
		env := piped(t, "", fake{answers: answers, user: u}.serve)
		c, err := mongo.Connect(options.Client().
			SetHosts([]string{target.HostPort()}).SetDirect(true).SetDialer(dialer(env.Dial)).
			SetServerAPIOptions(options.ServerAPI(options.ServerAPIVersion1)).
			SetAuth(options.Credential{Username: "muster", Password: "hunter2", AuthMechanism: mechanism}))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		raw, err := c.Database("admin").RunCommand(ctx, bson.D{e("replSetGetStatus", 1)}).Raw()
		if set, _ := raw.Lookup("set").StringValueOK(); err != nil || set != "orders-rs" {
			t.Errorf("%s: %v, %v", mechanism, raw, err)
		}
		_ = c.Disconnect(ctx)
		cancel()
	}
}

type dialer func(ctx context.Context, network, address string) (net.Conn, error)

func (d dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return d(ctx, network, address)
}

// raw is a message as given, whatever it holds.
func raw(length, answers, operation, flags uint32, rest string) string {
	var m []byte
	for _, n := range []uint32{length, 7, answers, operation, flags} {
		m = binary.LittleEndian.AppendUint32(m, n)
	}
	return string(m) + rest
}

// Each of these would make a client that believes it run out of memory or of bounds, or take one answer for another.
func TestHostileMessages(t *testing.T) {
	fine := "\x00\x0d\x00\x00\x00\x10ok\x00\x01\x00\x00\x00\x00"
	long := uint32(20 + len(fine))
	beyond := "\x00\x0f\x00\x00\x00\x02ok\x00\xff\xff\xff\x7f\x00\x00\x00"
	for name, c := range map[string]struct{ said, reason string }{
		"a web server":           {"HTTP/1.1 400 Bad Request\r\n\r\n", fsm.ReasonProtocol},
		"shorter than its head":  {raw(15, 1, 2013, 0, ""), fsm.ReasonProtocol},
		"longer than any":        {raw(48_000_001, 1, 2013, 0, ""), fsm.ReasonProtocol},
		"longer than wanted":     {raw(40_000_000, 1, 2013, 0, strings.Repeat("x", 2<<20)), fsm.ReasonTooLarge},
		"no flags":               {raw(16, 1, 2013, 0, ""), fsm.ReasonProtocol},
		"more to come":           {raw(long, 1, 2013, 2, fine), fsm.ReasonProtocol},
		"another's":              {raw(long, 9, 2013, 0, fine), fsm.ReasonProtocol},
		"of the old protocol":    {raw(long, 1, 1, 0, fine), fsm.ReasonProtocol},
		"a section of many":      {raw(long, 1, 2013, 0, "\x01"+fine[1:]), fsm.ReasonProtocol},
		"fine, and then nothing": {raw(long, 1, 2013, 0, fine), fsm.ReasonReset},
		"with a checksum":        {raw(long+4, 1, 2013, 1, fine+"1234"), fsm.ReasonReset},
		"an empty document":      {raw(26, 1, 2013, 0, "\x00\x05\x00\x00\x00\x00"), fsm.ReasonProtocol},
		"a document beyond it":   {raw(26, 1, 2013, 0, "\x00\xff\xff\xff\x7f\x00"), fsm.ReasonProtocol},
		"a document of less":     {raw(26, 1, 2013, 0, "\x00\x01\x00\x00\x00\x00"), fsm.ReasonProtocol},
		"a field beyond it":      {raw(36, 1, 2013, 0, beyond), fsm.ReasonProtocol},
		"documents in documents": {nested(), fsm.ReasonProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, "", piped(t, "", func(conn net.Conn) {
				buf := make([]byte, 4096)
				if _, err := conn.Read(buf); err != nil {
					return
				}
				heard := make(chan struct{})
				go func() {
					defer close(heard)
					_, _ = io.Copy(io.Discard, conn)
				}()
				_, _ = conn.Write([]byte(c.said))
				if c.reason == fsm.ReasonReset {
					_ = conn.Close()
				}
				<-heard
			}))
			if r := p.Probe(t.Context(), target); r.Reason != c.reason {
				t.Errorf("report is %+v, wanted is the reason %q", r, c.reason)
			}
		})
	}
}

// nested is a message of documents in documents, as deep as a mebibyte holds.
func nested() string {
	const depth = 120_000
	var d []byte
	for left := depth; left > 0; left-- {
		d = append(binary.LittleEndian.AppendUint32(d, uint32(8*left+5)), 3, 'a', 0)
	}
	d = append(d, 5, 0, 0, 0, 0)
	d = append(d, make([]byte, depth)...)
	return raw(uint32(21+len(d)), 1, 2013, 0, "\x00"+string(d))
}

// Documents whose parts are broken, in every byte and at every length, are no more than answers that say less.
func TestBrokenDocuments(t *testing.T) {
	for name, answer := range map[string]bson.D{"hello": hello(), "replSetGetStatus": status(2, now*1000)} {
		whole, err := bson.Marshal(append(slices.Clip(answer), e("ok", 1.0)))
		if err != nil {
			t.Fatal(err)
		}
		for i := range whole {
			for _, b := range []byte{0x00, 0x01, 0x04, 0x7f, 0xff} {
				broken := slices.Clone(whole)
				broken[i] = b
				answers := replica(2, now*1000)
				answers[name] = bson.Raw(broken)
				p := start(t, "", piped(t, "", fake{answers: answers}.serve))
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				if r := p.Probe(ctx, target); !r.Reachable && r.Reason != fsm.ReasonProtocol {
					t.Errorf("%s with %#x at %d: report is %+v", name, b, i, r)
				}
				cancel()
				p.Close()
			}
		}
	}
}
