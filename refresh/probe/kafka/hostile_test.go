package kafka_test

import (
	"context"
	"encoding/binary"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// frame is an answer to the n-th request.
func frame(n uint32, body []byte) string {
	head := binary.BigEndian.AppendUint32(nil, uint32(len(body)+4))
	return string(append(binary.BigEndian.AppendUint32(head, n), body...))
}

// offer is an answer to ApiVersions, the first request: these, each in versions up to most.
func offer(most int16, keys ...int16) string {
	var versions kmsg.ApiVersionsResponse
	for _, key := range keys {
		versions.ApiKeys = append(versions.ApiKeys, kmsg.ApiVersionsResponseApiKey{ApiKey: key, MaxVersion: most})
	}
	return frame(1, versions.AppendTo(nil))
}

// head is an offer, and the beginning of an answer to Metadata that is as long as one may be.
func head() string {
	long := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 8<<20), 2)
	return offer(4, 3, 32) + string(long)
}

// says lets a prober dial somebody who says one thing, whatever it is asked.
func says(t *testing.T, text string) refresh.Env {
	t.Helper()
	e := env("hunter2")
	e.Dial = func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer theirs.Close()
			if _, err := theirs.Read(make([]byte, 4096)); err != nil {
				return
			}
			heard := make(chan struct{})
			go func() {
				defer close(heard)
				for buf := make([]byte, 4096); ; {
					if _, err := theirs.Read(buf); err != nil {
						return
					}
				}
			}()
			_, _ = theirs.Write([]byte(text))
			<-heard
		}()
		t.Cleanup(func() { _ = ours.Close(); <-done })
		return ours, nil
	}
	return e
}

// Each of these would make a client run out of memory, or count to billions, that believes what is announced.
func TestHostile(t *testing.T) {
	none := []byte{0, 0, 0, 0}
	manyTags := append([]byte{0xff, 0xff, 0xff, 0xff, 0x0f}, none...)
	manyBrokers := append([]byte{}, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff)
	ids := kbin.AppendInt32(append([]byte{}, none...), 5000)
	for id := range int32(5000) {
		ids = kbin.AppendInt32(ids, id)
		ids = kbin.AppendNullableString(kbin.AppendInt32(kbin.AppendString(ids, "h"), 9092), nil)
	}
	ids = append(kbin.AppendInt32(kbin.AppendNullableString(ids, nil), 0), none...)
	for name, c := range map[string]struct{ said, reason, detail string }{
		"a web server":          {"HTTP/1.1 400 Bad Request\r\n\r\n", fsm.ReasonProtocol, "is no Kafka broker"},
		"empty answers":         {frame(1, make([]byte, 6)), fsm.ReasonProtocol, "is no Kafka broker"},
		"2 GiB of versions":     {"\x7f\xff\xff\xff\x00\x00\x00\x01", fsm.ReasonTooLarge, "ApiVersions is 2147483647 bytes"},
		"a controller of KRaft": {offer(2, 55), fsm.ReasonProtocol, "takes no Metadata"},
		"an old broker":         {offer(3, 3), fsm.ReasonProtocol, "takes Metadata in the versions 0 to 3"},
		"2 GiB of metadata":     {offer(8, 3, 32) + "\x7f\xff\xff\xff\x00\x00\x00\x02", fsm.ReasonTooLarge, "Metadata"},
		"billions of tags":      {offer(9, 3, 32) + frame(2, manyTags), fsm.ReasonProtocol, "ends too early"},
		"billions of brokers":   {offer(8, 3, 32) + frame(2, manyBrokers), fsm.ReasonProtocol, "ends too early"},
		"5,000 brokers":         {offer(4, 3, 32) + frame(2, ids), fsm.ReasonTooLarge, "4096 brokers"},
		"another's answer":      {offer(8, 3, 32) + frame(7, none), fsm.ReasonProtocol, "not Kafka's"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			r := start(t, "", says(t, c.said)).Probe(ctx, refresh.Target{Node: "orders-0", Address: "kafka", Port: 9092})
			if r.Reason != c.reason || !strings.Contains(r.Detail, c.detail) {
				t.Errorf("report is %+v, wanted is the reason %q and %q", r, c.reason, c.detail)
			}
		})
	}
}
