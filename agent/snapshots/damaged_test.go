package snapshots_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/snapshots"
)

// TestWhatCameDamagedIsNotKept has another peer's snapshot come as it was sent, in parts of any size, and otherwise. What is
// checked is all of it, also what raft has not written to the file yet; and of this peer's own state nothing is.
func TestWhatCameDamagedIsNotKept(t *testing.T) {
	errOther := errors.New("not what was sent")
	chance := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{0, 1, 4097, 16 << 10, 16<<10 + 1, 200_000} {
		sent := make([]byte, size)
		for i := range sent {
			sent[i] = byte(chance.Uint32())
		}
		for _, part := range []int{1 << 30, 1000} {
			for _, came := range []string{"whole", "its first byte otherwise", "its last byte otherwise", "own, and never checked"} {
				p := newPeer(t, 5, 25)
				s, err := snapshots.Open(snapshots.Config{
					Dir: p.dir, Logs: p.logs, Log: slog.New(slog.DiscardHandler), Logger: hclog.NewNullLogger(), Check: func(_ uint64, from io.Reader) error {
						if got, err := io.ReadAll(from); err != nil || !bytes.Equal(got, sent) {
							return errors.Join(errOther, err)
						}
						return nil
					},
				})
				if err != nil {
					t.Fatal(err)
				}
				body, damaged := bytes.Clone(sent), false
				switch {
				case size == 0:
				case came == "its first byte otherwise":
					body[0]++
					damaged = true
				case came == "its last byte otherwise":
					body[size-1]++
					damaged = true
				case came == "own, and never checked":
					body[0]++
				}
				_, transport := raft.NewInmemTransport("a")
				sink, err := s.Create(1, 30, 1, conf, 1, transport)
				if err != nil {
					t.Fatal(err)
				}
				if came == "own, and never checked" {
					sink.(interface{ Own() }).Own()
				}
				for at := 0; at < size; at += part {
					if _, err := sink.Write(body[at:min(at+part, size)]); err != nil {
						t.Fatal(err)
					}
				}
				if err := sink.Close(); errors.Is(err, errOther) != damaged {
					t.Errorf("%d bytes in parts of %d, %s: %v", size, part, came, err)
				}
				if refused := s.Refused() == 1; refused != damaged {
					t.Errorf("%d bytes in parts of %d, %s: %d are refused", size, part, came, s.Refused())
				}
				kept, err := filepath.Glob(filepath.Join(p.dir, "snapshots", "*-30-*"))
				if err != nil || (len(kept) == 0) != damaged {
					t.Errorf("%d bytes in parts of %d, %s: kept are %v, %v", size, part, came, kept, err)
				}
			}
		}
	}
}
