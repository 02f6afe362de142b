package fsm_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
)

var update = flag.Bool("update", false, "add golden files of this release's feature level that are not there yet")

// golden compares bytes with the newest file of a name in the folders of testdata, one for each feature level. With -update what
// has changed since an earlier level is added to the folder of this one; a file that is there stays as it is.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	level := fsm.FeatureLevel
	for ; level > 0; level-- {
		if _, err := os.Stat(goldenFile(level, name)); err == nil {
			break
		}
	}
	want, _ := os.ReadFile(goldenFile(level, name))
	if bytes.Equal(want, got) && level > 0 {
		return
	}
	if path := goldenFile(fsm.FeatureLevel, name); *update && level < fsm.FeatureLevel {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, got, 0o644)); err != nil {
			t.Fatal(err)
		}
		return
	}
	at := 0
	for at < min(len(want), len(got)) && want[at] == got[at] {
		at++
	}
	t.Errorf("%s of level %d holds %d bytes, what is written now is %d and differs at byte %d:\n%x\n%x\nSee testdata/README.md.",
		name, level, len(want), len(got), at, want[at:min(at+32, len(want))], got[at:min(at+32, len(got))])
}

func goldenFile(level int, name string) string {
	return filepath.Join("testdata", "v"+strconv.Itoa(level), name)
}

// TestGoldenEntries checks that every kind of command is written as it always was and read as it was written, and that one
// with every field set is of the last version of its kind.
func TestGoldenEntries(t *testing.T) {
	for _, c := range examples() {
		t.Run(fsm.KindName(c), func(t *testing.T) {
			entry := fsm.Entry(1_700_000_000_000, fsm.Frame(c))
			golden(t, "entry-"+fsm.KindName(c)+".bin", entry)
			at, commands, err := fsm.DecodeEntry(entry)
			if err != nil || at != 1_700_000_000_000 {
				t.Fatalf("at %d, error %v", at, err)
			}
			if diff := cmp.Diff([]fsm.Command{c}, commands); diff != "" {
				t.Errorf("read back (-want +got):\n%s", diff)
			}
			if is, last := fsm.Version(c); is != last {
				t.Errorf("with every field it is of version %d of %d", is, last)
			}
		})
	}
	if n := fsm.Kinds(); n != len(examples()) {
		t.Errorf("%d examples of %d kinds", len(examples()), n)
	}
}

// TestGoldenEvents checks the same of every type of event.
func TestGoldenEvents(t *testing.T) {
	var all []byte
	for _, kind := range eventTypes() {
		var f filler
		want := fsm.Event{Fact: f.fact(kind)}
		f.fill(reflect.ValueOf(&want).Elem())
		raw, err := want.MarshalCBOR()
		if err != nil {
			t.Fatal(err)
		}
		all = append(binary.AppendUvarint(all, uint64(len(raw))), raw...)
		var got fsm.Event
		if err := got.UnmarshalCBOR(raw); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s read back (-want +got):\n%s", kind, diff)
		}
	}
	golden(t, "events.bin", all)
}

// TestGoldenResults checks how results travel between peers, which may be of two releases.
func TestGoldenResults(t *testing.T) {
	golden(t, "results.bin", fsm.EncodeResults([]fsm.Result{{Index: 7}, *filled[fsm.Result]()}))
}

// TestGoldenPast checks the numbers of the words that are remembered of runs and refreshes.
func TestGoldenPast(t *testing.T) {
	golden(t, "past.txt", []byte(strings.Join(fsm.PastWords(), "\n")+"\n"))
}

// TestGoldenState checks that the chronicle is written as it always was, and that it leads to the stored snapshot.
func TestGoldenState(t *testing.T) {
	var log []byte
	index, now := uint64(100), fsm.Time(1_700_000_000_000)
	kinds := map[string]bool{}
	for _, commands := range chronicle() {
		index++
		now += 1000
		entry := fsm.Entry(now, frames(commands)...)
		log = binary.AppendUvarint(binary.AppendUvarint(log, index), uint64(len(entry)))
		log = append(log, entry...)
		for _, c := range commands {
			kinds[fsm.KindName(c)] = true
		}
	}
	golden(t, "log.bin", log)
	snap := snapshot(t, replayed(t, log))
	golden(t, "snapshot.bin", snap)
	used := map[byte]bool{}
	for _, f := range framesOf(t, snap) {
		used[f.number] = true
	}
	for table := range byte(13) {
		if !used[table+1] {
			t.Errorf("the snapshot has no row of table %d", table+1)
		}
	}
	for _, c := range examples() {
		if !kinds[fsm.KindName(c)] {
			t.Errorf("the log has no %s", fsm.KindName(c))
		}
	}
}

// TestGoldenFilesStay checks that the golden files are those that SHA256SUMS lists. With -update new ones are added to it; a
// line that is there stays as it is.
func TestGoldenFilesStay(t *testing.T) {
	list := filepath.Join("testdata", "SHA256SUMS")
	sums, _ := os.ReadFile(list)
	listed := map[string]string{}
	for line := range strings.Lines(string(sums)) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		listed[name] = sum
	}
	paths, err := filepath.Glob(filepath.Join("testdata", "v*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		name := filepath.ToSlash(strings.TrimPrefix(path, "testdata"+string(filepath.Separator)))
		digest := sha256.Sum256(read(t, path))
		sum := hex.EncodeToString(digest[:])
		switch was, known := listed[name]; {
		case !known && *update:
			sums = append(sums, sum+"  "+name+"\n"...)
		case !known:
			t.Errorf("%s is not listed in %s", name, list)
		case was != sum:
			t.Errorf("%s is not as it was when it was added: see testdata/README.md", name)
		}
		delete(listed, name)
	}
	for name := range listed {
		t.Errorf("%s is gone", name)
	}
	if *update {
		if err := os.WriteFile(list, sums, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
