package poll_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/poll"
)

const tag = `W/"0123456789abcdef0123456789abcdef"`

// answering serves canned answers over loopback, so that what is measured is the client: to a request with a condition 304,
// to another the document.
func answering(b *testing.B) string {
	b.Helper()
	d := refresh.Document{
		NodeID: "orders-2", ClusterID: "orders", Kind: "redis", Version: "7.0.15", State: "up",
		Shards: []refresh.DocumentShard{{ID: "0-5460", Role: "replica", Offset: &refresh.DocumentOffset{Value: 918, Unit: "bytes"}}},
	}
	body, err := d.Encode()
	if err != nil {
		b.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	full := []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nETag: " + tag + "\r\nContent-Length: " +
		strconv.Itoa(len(body)) + "\r\n\r\n" + string(body))
	short := []byte("HTTP/1.1 304 Not Modified\r\nETag: " + tag + "\r\n\r\n")
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go answer(conn, full, short)
		}
	}()
	return l.Addr().String()
}

func answer(conn net.Conn, full, short []byte) {
	defer conn.Close()
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		out := full
		if bytes.Contains(buf[:n], []byte(tag)) {
			out = short
		}
		if _, err := conn.Write(out); err != nil {
			return
		}
	}
}

func BenchmarkGET(b *testing.B)         { measure(b, "", http.StatusOK) }
func BenchmarkNotModified(b *testing.B) { measure(b, tag, http.StatusNotModified) }

func measure(b *testing.B, etag string, status int) {
	address := answering(b)
	b.Run("poll", func(b *testing.B) {
		c, err := poll.New(poll.Config{Rules: poll.Rules{AllowLoopback: true}})
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		r := refresh.Request{
			Address: address, Path: refresh.NodePath, IfNoneMatch: etag, Keep: []string{"ETag", refresh.LagHeader},
		}
		b.ReportAllocs()
		for b.Loop() {
			ctx, cancel := context.WithTimeout(b.Context(), 3*time.Second)
			got, err := c.Fetch(ctx, r)
			if err != nil || got.Status != status || got.Kept[0] != tag {
				b.Fatal(got, err)
			}
			cancel()
		}
	})
	b.Run("net_http", func(b *testing.B) {
		transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 1}
		defer transport.CloseIdleConnections()
		c := &http.Client{Transport: transport}
		b.ReportAllocs()
		for b.Loop() {
			ctx, cancel := context.WithTimeout(b.Context(), 3*time.Second)
			if err := getOnce(ctx, c, "http://"+address+refresh.NodePath, etag, status); err != nil {
				b.Fatal(err)
			}
			cancel()
		}
	})
}

func getOnce(ctx context.Context, c *http.Client, url, etag string, status int) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != status || resp.Header.Get("ETag") != tag {
		return io.ErrUnexpectedEOF
	}
	return nil
}
