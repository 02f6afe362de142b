package redis_test

import (
	"bufio"
	"io"
	"net"
	"testing"
	"testing/synctest"

	"github.com/musterhq/muster/refresh"
)

// A server that says more than it was asked makes go-redis drop the connection and want another, which there is not. Nothing
// goes on wanting it when the poll is over. Whether anything does is a matter of chance, so it is tried often.
func TestNothingIsLeftOfASpentConnection(t *testing.T) {
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			p := start(t, "", piped(t, func(conn net.Conn) {
				in := bufio.NewReader(conn)
				for {
					words, err := readCommand(in)
					if err != nil {
						return
					}
					answer := "-ERR unknown command\r\n"
					if words[0] == "info" {
						answer = bulk(clustered(primaryInfo)) + "+more\r\n"
					}
					if _, err := io.WriteString(conn, answer); err != nil {
						return
					}
				}
			}))
			if r := p.Probe(t.Context(), refresh.Target{Node: "r1", Address: "r1", Port: 6379}); r.Reachable {
				t.Errorf("report is %+v", r)
			}
		})
	}
}
