package fsm_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/musterhq/muster/fsm"
)

// FuzzDecodeResults: what another peer answers neither panics nor takes much room, and what decodes comes out the same of
// its own encoding. Nothing is no results.
func FuzzDecodeResults(f *testing.F) {
	f.Add(fsm.EncodeResults(nil))
	f.Add(fsm.EncodeResults([]fsm.Result{
		{Index: 7, Error: fsm.Errorf(fsm.CodeStale, "moved").With("index", "9"), Moved: []fsm.Moved{{Cluster: "c", Index: 5}}},
		{Claim: &fsm.Claim{Subject: fsm.Subject{Kind: fsm.KindRun, ID: 3}, Token: 7, Names: []string{"c"}}, Closed: true},
	}))
	f.Add([]byte{0x9a, 0x7f, 0xff, 0xff, 0xff})
	f.Add([]byte{0xf7}) // CBOR's undefined
	f.Fuzz(func(t *testing.T, raw []byte) {
		var results []fsm.Result
		var err error
		if took := allocated(func() { results, err = fsm.DecodeResults(raw) }); took > 64<<20 {
			t.Fatalf("%d bytes take %d MiB", len(raw), took>>20)
		}
		if err != nil {
			return
		}
		again, err := fsm.DecodeResults(fsm.EncodeResults(results))
		if diff := cmp.Diff(results, again, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("error %v, results again (-first +second):\n%s", err, diff)
		}
	})
}

// FuzzDecodeFrames: what another peer proposes neither panics nor takes much room, and what decodes is framed the same
// again.
func FuzzDecodeFrames(f *testing.F) {
	for _, c := range examples() {
		f.Add(fsm.Frame(c))
	}
	f.Add([]byte{10, 1, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, raw []byte) {
		var commands []fsm.Command
		var err error
		if took := allocated(func() { commands, err = fsm.DecodeFrames(raw) }); took > 64<<20 {
			t.Fatalf("%d bytes take %d MiB", len(raw), took>>20)
		}
		if err != nil {
			return
		}
		framed := bytes.Join(frames(commands), nil)
		again, err := fsm.DecodeFrames(framed)
		if err != nil || !bytes.Equal(framed, bytes.Join(frames(again), nil)) {
			t.Errorf("%x is framed %x, and otherwise when it is read again: %v", raw, framed, err)
		}
	})
}
