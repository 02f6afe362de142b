package fsm_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
)

// everyLevel runs a test on the golden files of a name of every feature level. Each level has added some, the first one all.
func everyLevel(t *testing.T, pattern string, test func(t *testing.T, level int, raw []byte)) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "v*", pattern))
	if err != nil || len(paths) == 0 || filepath.Dir(paths[0]) != filepath.Join("testdata", "v1") {
		t.Fatalf("%s is in %v, %v", pattern, paths, err)
	}
	for _, path := range paths {
		folder := filepath.Base(filepath.Dir(path))
		t.Run(folder+"/"+filepath.Base(path), func(t *testing.T) {
			level, err := strconv.Atoi(strings.TrimPrefix(folder, "v"))
			if err != nil || level > fsm.FeatureLevel {
				t.Fatalf("%s is no level up to %d", folder, fsm.FeatureLevel)
			}
			test(t, level, read(t, path))
		})
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestEntriesOfEveryLevel checks that entries which an earlier release wrote are read, and written the same again: that
// release must be able to read what this one proposes below its own level.
func TestEntriesOfEveryLevel(t *testing.T) {
	everyLevel(t, "entry-*.bin", func(t *testing.T, level int, raw []byte) {
		at, commands, err := fsm.DecodeEntry(raw)
		if err != nil {
			t.Fatal(err)
		}
		if again := fsm.Entry(at, frames(commands)...); !bytes.Equal(raw, again) {
			t.Errorf("it is written as\n%x, was\n%x", again, raw)
		}
		if err := fsm.Admit(frames(commands)[0], uint32(level)); err != nil {
			t.Errorf("it may not be proposed at its own level: %v", err)
		}
	})
}

// TestEventsOfEveryLevel checks the same of events.
func TestEventsOfEveryLevel(t *testing.T) {
	everyLevel(t, "events.bin", func(t *testing.T, _ int, raw []byte) {
		for len(raw) > 0 {
			size, n := binary.Uvarint(raw)
			one := raw[n : n+int(size)]
			raw = raw[n+int(size):]
			var e fsm.Event
			if err := e.UnmarshalCBOR(one); err != nil {
				t.Fatal(err)
			}
			if again, err := e.MarshalCBOR(); err != nil || !bytes.Equal(one, again) {
				t.Errorf("%s is written as\n%x, was\n%x (%v)", e.Type, again, one, err)
			}
		}
	})
}

// TestResultsOfEveryLevel checks the same of results.
func TestResultsOfEveryLevel(t *testing.T) {
	everyLevel(t, "results.bin", func(t *testing.T, _ int, raw []byte) {
		results, err := fsm.DecodeResults(raw)
		if again := fsm.EncodeResults(results); err != nil || !bytes.Equal(raw, again) {
			t.Errorf("they are written as\n%x, were\n%x (%v)", again, raw, err)
		}
	})
}

// TestPastOfEveryLevel checks that the words of an earlier release keep their numbers, and that those which came later wait
// for a higher level.
func TestPastOfEveryLevel(t *testing.T) {
	everyLevel(t, "past.txt", func(t *testing.T, level int, raw []byte) {
		was, is := strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n"), fsm.PastWords()
		if diff := cmp.Diff(was, is[:min(len(was), len(is))]); diff != "" {
			t.Errorf("words (-was +is):\n%s", diff)
		}
		for _, word := range is[min(len(was), len(is)):] {
			if needs, err := strconv.Atoi(word[strings.LastIndexByte(word, ' ')+1:]); err != nil || needs <= level {
				t.Errorf("%q is written at level %d", word, level)
			}
		}
	})
}

// TestStateOfEveryLevel checks that the log of an earlier release leads to the very state that it led to then, and that the
// snapshot of that time is read, and written the same again.
func TestStateOfEveryLevel(t *testing.T) {
	everyLevel(t, "log.bin", func(t *testing.T, level int, raw []byte) {
		want := read(t, goldenFile(level, "snapshot.bin"))
		state := replayed(t, raw)
		if got := snapshot(t, state); sha256.Sum256(got) != sha256.Sum256(want) {
			t.Errorf("the log leads to another state (-then +now):\n%s", cmp.Diff(framesOf(t, want), framesOf(t, got), cmp.AllowUnexported(frame{})))
		}
		if !bytes.Equal(want, snapshot(t, restored(t, want))) {
			t.Error("the snapshot is written otherwise once restored")
		}
		if at := state.Read().Meta().Feature; at != uint32(level) {
			t.Errorf("the state is of level %d", at)
		}
	})
}

// replayed is the state after a golden log, all of which must be accepted.
func replayed(t *testing.T, log []byte) *fsm.State {
	t.Helper()
	state := fsm.NewState()
	for len(log) > 0 {
		var head [2]uint64
		for i := range head {
			v, n := binary.Uvarint(log)
			head[i], log = v, log[n:]
		}
		a, err := state.Apply(head[0], log[:head[1]])
		if err != nil {
			t.Fatal(err)
		}
		for i := range a.Results {
			if err := a.Results[i].Err(); err != nil || len(a.Results[i].Moved) > 0 {
				t.Errorf("entry %d, command %d: %v, moved %+v", head[0], i, err, a.Results[i].Moved)
			}
		}
		log = log[head[1]:]
	}
	return state
}
