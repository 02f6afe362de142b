package peerport_test

import (
	"bytes"
	"io"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/musterhq/muster/agent/peerport"
)

// written is what write writes.
func written(f *testing.F, write func(io.Writer) error) []byte {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		f.Fatal(err)
	}
	return b.Bytes()
}

// FuzzFrames: a first frame that is read is written and read the same again, and no reading goes past its end.
func FuzzFrames(f *testing.F) {
	f.Add(written(f, func(w io.Writer) error {
		return peerport.WriteHello(w, peerport.NewHello("g", "a", "b", "i"))
	}))
	f.Add(written(f, func(w io.Writer) error {
		return peerport.WriteAnswer(w, peerport.NewAnswer(peerport.WrongGroup, "g", "b"))
	}))
	f.Add([]byte{0xD5, 1, 0xff, 0xff, 0})
	f.Add([]byte{0xD5, 2, 0, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		in := bytes.NewReader(raw)
		if h, err := peerport.ReadHello(in); err == nil {
			var b bytes.Buffer
			if err := peerport.WriteHello(&b, h); err != nil || !bytes.Equal(b.Bytes()[1:], raw[1:len(raw)-in.Len()]) {
				t.Errorf("%x is written again as %x, error %v", raw, b.Bytes(), err)
			}
		}
		in.Reset(raw)
		if a, err := peerport.ReadAnswer(in); err == nil {
			var b bytes.Buffer
			if err := peerport.WriteAnswer(&b, a); err != nil || !bytes.Equal(b.Bytes(), raw[:len(raw)-in.Len()]) {
				t.Errorf("%x is written again as %x, error %v", raw, b.Bytes(), err)
			}
		}
	})
}

// FuzzPort: whatever is said to a peer port, it takes little room and is over by when a connection may rest no longer.
func FuzzPort(f *testing.F) {
	f.Add(written(f, func(w io.Writer) error {
		return peerport.WriteHello(w, peerport.NewHello("g", "b", "a", "i"))
	}))
	f.Add([]byte("POST /propose HTTP/1.1\r\nHost: a\r\nX-Muster-From: b\r\nX-Muster-Peer: a\r\nX-Muster-Hop: 1\r\n" +
		"Content-Length: 99999999999\r\n\r\n"))
	f.Add([]byte("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n"))
	f.Add([]byte{0xD5, 1, 0, 200})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, said []byte) {
		synctest.Test(t, func(t *testing.T) {
			w, _ := piped()
			w.start(t, "a", nil).echo(t)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			conn := w.connect(t, "a")
			_ = conn.SetDeadline(time.Now().Add(10 * time.Minute))
			spoken := make(chan struct{})
			go func() {
				defer close(spoken)
				_, _ = conn.Write(said)
			}()
			begun := time.Now()
			_, err := io.Copy(io.Discard, conn)
			runtime.ReadMemStats(&after)
			if took := time.Since(begun); isTimeout(err) || took > 2*time.Minute {
				t.Errorf("the connection is over after %s, error %v", took, err)
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > 64<<20 {
				t.Errorf("%d bytes take %d MiB", len(said), took>>20)
			}
			conn.Close()
			<-spoken
		})
	})
}
