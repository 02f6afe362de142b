package backup_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/agent/backup"
	"github.com/musterhq/muster/fsm"
)

func TestWhatIsWrittenIsRead(t *testing.T) {
	s := state(t)
	got, err := backup.Read(bytes.NewReader(written(t, s)))
	if err != nil {
		t.Fatal(err)
	}
	want := backup.Meta{
		ID: "3-13", Group: "g", Epoch: "e1", Index: 13, Term: 3, Time: 1_700_000_000_003, Seq: 3, Format: s.Read().Header().Format, Feature: 1,
		Size: int64(len(snapshot(t, s))),
	}
	if diff := cmp.Diff(want, got.Meta); diff != "" {
		t.Errorf("meta (-want +got):\n%s", diff)
	}
	if !bytes.Equal(snapshot(t, s), snapshot(t, got.State)) {
		t.Error("another state came back")
	}
	rows := map[string]int64{}
	for _, k := range got.Kinds {
		rows[k.Kind] = k.Rows
	}
	if diff := cmp.Diff(map[string]int64{
		"meta": 1, "index": rows["index"], "settings": 1, "peers": 1, "discoveries": 1, "schedules": 1, "events": 3, "audit": 1,
	}, rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestSumsAreAsSha256sumReadsThem(t *testing.T) {
	all := entries(t, written(t, state(t)))
	if len(all) != 3 || all[0].name != "meta.json" || all[1].name != "state.bin" || all[2].name != "SHA256SUMS" {
		t.Fatalf("files: %v", all)
	}
	want := fmt.Sprintf("%x  meta.json\n%x  state.bin\n", sha256.Sum256(all[0].body), sha256.Sum256(all[1].body))
	if got := string(all[2].body); got != want {
		t.Errorf("SHA256SUMS:\n%s\nwant:\n%s", got, want)
	}
}

// TestDamageIsRefused cuts a backup at every byte and changes every byte of it. What gzip itself ignores may change.
func TestDamageIsRefused(t *testing.T) {
	s := state(t)
	whole, want := written(t, s), snapshot(t, s)
	for n := range whole {
		if _, err := backup.Read(bytes.NewReader(whole[:n])); err == nil {
			t.Fatalf("the first %d of %d bytes were taken", n, len(whole))
		}
	}
	taken := 0
	for i := range whole {
		damaged := bytes.Clone(whole)
		damaged[i] ^= 0x40
		b, err := backup.Read(bytes.NewReader(damaged))
		if err != nil {
			continue
		}
		if taken++; !bytes.Equal(want, snapshot(t, b.State)) {
			t.Fatalf("a change of byte %d was taken", i)
		}
	}
	if taken > len(whole)/10 {
		t.Errorf("%d of %d changes made no difference", taken, len(whole))
	}
}

func TestRefusalsSayWhatIsWrong(t *testing.T) {
	s := state(t)
	all := entries(t, written(t, s))
	meta, bin, sums := all[0], all[1], all[2]
	resum := func(meta, bin entry) []byte {
		sum := fmt.Sprintf("%x  meta.json\n%x  state.bin\n", sha256.Sum256(meta.body), sha256.Sum256(bin.body))
		return archive(t, meta, bin, entry{"SHA256SUMS", []byte(sum)})
	}
	other := entry{meta.name, bytes.Replace(meta.body, []byte(`"index": 13`), []byte(`"index": 99`), 1)}
	damaged := entry{bin.name, bytes.Clone(bin.body)}
	damaged.body[len(damaged.body)/2] ^= 1
	whole, err := gzip.NewReader(bytes.NewReader(written(t, s)))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, says string
		archive    []byte
	}{
		{"a long tail", "it goes on after its last file", zipped(t, io.MultiReader(whole, bytes.NewReader(make([]byte, 2<<20))))},
		{"nothing", "cut short", nil},
		{"no gzip", "it is no gzip file", []byte("hello, this is text")},
		{"no tar", "meta.json", zipped(t, strings.NewReader(strings.Repeat("text", 1000)))},
		{"state alone", `it holds "state.bin" where meta.json belongs`, archive(t, bin, sums)},
		{"no state", `it holds "SHA256SUMS" where state.bin belongs`, archive(t, meta, sums)},
		{"no sums", "SHA256SUMS: the backup is cut short", archive(t, meta, bin)},
		{"one more", `it also holds "more"`, archive(t, meta, bin, sums, entry{"more", nil})},
		{"a second backup", "it goes on after its end", append(written(t, s), written(t, s)...)},
		{"other sums", "the digests are not those", archive(t, meta, bin, entry{sums.name, []byte(strings.ToUpper(string(sums.body)))})},
		{"no JSON", "meta.json: invalid character", archive(t, entry{meta.name, []byte("{]")}, bin, sums)},
		{"another meta", "meta.json says", resum(other, bin)},
		{"a damaged state", "state.bin: restore snapshot", resum(meta, damaged)},
		{"state cut short", "the snapshot is cut short", resum(meta, entry{bin.name, bin.body[:len(bin.body)-1]})},
		{"a long meta", "more than the 65536", archive(t, entry{meta.name, make([]byte, 65_537)}, bin, sums)},
		{"long sums", "more than the 65536", archive(t, meta, bin, entry{sums.name, make([]byte, 65_537)})},
	} {
		_, err := backup.Read(bytes.NewReader(c.archive))
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, which does not say %q", c.name, err, c.says)
		}
	}
}

func zipped(t *testing.T, from io.Reader) []byte {
	t.Helper()
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	if _, err := io.Copy(zip, from); err != nil || zip.Close() != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestNewerIsToldApart(t *testing.T) {
	newer := fsm.NewState()
	born := &fsm.GroupCreate{Group: "G", Epoch: "E", Feature: fsm.FeatureLevel + 1}
	if _, err := newer.Apply(1, fsm.Entry(1, fsm.Frame(born))); err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Read(bytes.NewReader(written(t, newer))); !errors.Is(err, fsm.ErrNewer) {
		t.Errorf("%v does not wrap ErrNewer", err)
	}
}

func TestWriteTellsThatItsWriterFails(t *testing.T) {
	s := state(t)
	for n := range len(written(t, s)) {
		if err := backup.Write(&full{n}, s.Read()); !errors.Is(err, errFull) {
			t.Fatalf("a writer that is full after %d bytes: %v", n, err)
		}
	}
}

var errFull = errors.New("full")

// full takes so many bytes.
type full struct{ left int }

func (f *full) Write(p []byte) (int, error) {
	if n := f.left; n < len(p) {
		f.left = 0
		return n, errFull
	}
	f.left -= len(p)
	return len(p), nil
}
