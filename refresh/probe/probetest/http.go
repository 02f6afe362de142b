package probetest

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
)

// ServeHTTP answers every GET on conn with 200 and a body: a Subject.Serve for those that speak HTTP.
func ServeHTTP(conn net.Conn, body string) {
	in := bufio.NewReader(conn)
	for {
		if _, err := http.ReadRequest(in); err != nil {
			return
		}
		if _, err := fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body); err != nil {
			return
		}
	}
}
