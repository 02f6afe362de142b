package kafka_test

import (
	"encoding/binary"
	"io"
	"net"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/kafka"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

// A broker that says anything at all within right answers.
func FuzzNoise(f *testing.F) {
	probetest.Noise(f, probetest.Subject{
		Make:  func(env refresh.Env) (refresh.Asker, error) { return kafka.New("", env) },
		Serve: serveOne,
		Head:  offer(9, 3, 32) + frame(2, []byte{0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f}),
	})
}

func TestServeOneIsUnderstood(t *testing.T) {
	r := ask(t, start(t, "", probetest.Piped(t, serveOne)), refresh.Target{Node: "orders-1", Address: "kafka", Port: 9092})
	expectShards(t, r, "controller primary, orders-0 primary, orders-1 replica")
}

// serveOne answers as the broker 1 of three of Kafka 4.0.
func serveOne(conn net.Conn) {
	for n := uint32(1); ; n++ {
		var head [8]byte // length, kind, version
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			return
		}
		if _, err := io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint32(head[:]))-4); err != nil {
			return
		}
		request := kmsg.RequestForKey(int16(binary.BigEndian.Uint16(head[4:])))
		request.SetVersion(int16(binary.BigEndian.Uint16(head[6:])))
		var body []byte
		if request.IsFlexible() {
			body = []byte{0} // no tags in the answer's head
		}
		if _, err := io.WriteString(conn, frame(n, answerOne(request).AppendTo(body))); err != nil {
			return
		}
	}
}

func answerOne(request kmsg.Request) kmsg.Response {
	answer := request.ResponseKind()
	switch answer := answer.(type) {
	case *kmsg.ApiVersionsResponse:
		kversion.V4_0_0().EachMaxKeyVersion(func(key, most int16) {
			api := kmsg.NewApiVersionsResponseApiKey()
			api.ApiKey, api.MaxVersion = key, most
			answer.ApiKeys = append(answer.ApiKeys, api)
		})
	case *kmsg.MetadataResponse:
		return (&picture{brokers: []int32{1, 2, 3}, controller: 2, partitions: []partition{
			{1, []int32{1, 2, 3}, []int32{1, 2, 3}}, {2, []int32{2, 1}, []int32{1, 2}}, {3, []int32{3}, []int32{3}},
		}}).answer(request)
	case *kmsg.DescribeConfigsResponse:
		one := kmsg.NewDescribeConfigsResponseResource()
		one.ResourceType, one.ResourceName = kmsg.ConfigResourceTypeBroker, "1"
		roles := kmsg.NewDescribeConfigsResponseResourceConfig()
		roles.Name, roles.Value = "process.roles", new("broker,controller")
		one.Configs = append(one.Configs, roles)
		answer.Resources = append(answer.Resources, one)
	case *kmsg.DescribeQuorumResponse:
		led(1, 1, 2, 3)(answer)
	}
	return answer
}
