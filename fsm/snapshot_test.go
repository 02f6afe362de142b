package fsm_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/musterhq/muster/fsm"
)

// told is a small state with rows in every table.
func told(t testing.TB) *log {
	t.Helper()
	l := &log{t: t, state: fsm.NewState(), index: 100, now: 1_700_000_000_000}
	for _, commands := range chronicle() {
		l.apply(commands...)
	}
	return l
}

// TestSnapshotIsOfItsPoint writes a snapshot while entries are applied between every two of its writes, and checks that it
// holds exactly what was there when the reader was made (P16, I17).
func TestSnapshotIsOfItsPoint(t *testing.T) {
	l := newLog(t)
	d := l.discovery("d")
	c := l.cluster(d, "c", manyNodes(2000)...)
	want := l.snapshot()
	r, writes := l.state.Read(), 0
	var got bytes.Buffer
	err := r.WriteSnapshot(writerFunc(func(p []byte) (int, error) {
		writes++
		l.move(c.ID, fmt.Sprint("group ", writes))
		l.cluster(d, fmt.Sprint("new ", writes), "a")
		l.ok(&fsm.EventsTrim{First: uint64(100 * writes)})
		return got.Write(p)
	}))
	if err != nil || writes < 3 {
		t.Fatalf("%d writes, error %v", writes, err)
	}
	if !bytes.Equal(want, got.Bytes()) {
		t.Fatal("the snapshot holds something of later entries, or lacks something of earlier ones")
	}
	if bytes.Equal(want, l.snapshot()) {
		t.Fatal("no later entry did anything")
	}
}

// TestSnapshotBesideApply writes snapshots on other goroutines while entries are applied: each is of the entry its reader
// saw.
func TestSnapshotBesideApply(t *testing.T) {
	l := newLog(t)
	d := l.discovery("d")
	l.cluster(d, "c", manyNodes(300)...)
	var group sync.WaitGroup
	for i := range 20 {
		r := l.state.Read()
		want := r.Meta().Index
		group.Go(func() {
			var b bytes.Buffer
			if err := r.WriteSnapshot(&b); err != nil {
				t.Error(err)
			}
			if head, err := fsm.VerifySnapshot(&b); err != nil || head.Index != want {
				t.Errorf("snapshot of %d reads %+v, %v", want, head, err)
			}
		})
		l.cluster(d, fmt.Sprint("new ", i), "a")
	}
	group.Wait()
}

type writerFunc func([]byte) (int, error)

func (w writerFunc) Write(p []byte) (int, error) { return w(p) }

func manyNodes(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("node-%05d", i)
	}
	return out
}

// TestSnapshotWriterFails lets the writer fail at every byte and checks that the error comes out (P17).
func TestSnapshotWriterFails(t *testing.T) {
	l := told(t)
	full := errors.New("disk full")
	whole := l.snapshot()
	for n := range whole {
		left := n
		err := l.state.Read().WriteSnapshot(writerFunc(func(p []byte) (int, error) {
			if len(p) > left {
				return left, full
			}
			left -= len(p)
			return len(p), nil
		}))
		if !errors.Is(err, full) {
			t.Fatalf("failing at byte %d of %d gives %v", n, len(whole), err)
		}
	}
}

// TestSnapshotHeader checks what a snapshot says of itself.
func TestSnapshotHeader(t *testing.T) {
	l := newLog(t)
	l.ok(&fsm.FeatureRaise{Level: fsm.FeatureLevel})
	want := fsm.Header{Format: 1, Index: l.index, Time: l.now, Epoch: "e1", Group: "g", Feature: fsm.FeatureLevel}
	got, err := fsm.VerifySnapshot(bytes.NewReader(l.snapshot()))
	if err != nil || got != want || l.state.Read().Header() != want {
		t.Errorf("header is %+v, %v; want %+v", got, err, want)
	}
	if got, err := fsm.ReadHeader(bytes.NewReader(l.snapshot())); err != nil || got != want {
		t.Errorf("header alone is %+v, %v; want %+v", got, err, want)
	}
}

// TestSnapshotOfAHigherLevel checks that a snapshot which may hold what this release does not know is refused by its header.
func TestSnapshotOfAHigherLevel(t *testing.T) {
	l := newLog(t)
	l.ok(&fsm.FeatureRaise{Level: fsm.FeatureLevel + 1})
	newer := l.snapshot()
	why := fmt.Sprintf("feature level %d, this release understands %d", fsm.FeatureLevel+1, fsm.FeatureLevel)
	err := spoils(t, restored(t, newLog(t).snapshot()), newer, "a snapshot of a higher level")
	_, verified := fsm.VerifySnapshot(bytes.NewReader(newer))
	_, read := fsm.ReadHeader(bytes.NewReader(newer))
	for _, err := range []error{err, verified, read} {
		if !errors.Is(err, fsm.ErrNewer) || !strings.Contains(err.Error(), why) {
			t.Errorf("it is refused with: %v", err)
		}
	}
}

// spoils checks that a damaged snapshot is an error and leaves the state as it was.
func spoils(t *testing.T, state *fsm.State, damaged []byte, what string) error {
	t.Helper()
	before := state.Read()
	err := state.Restore(bytes.NewReader(damaged))
	if err == nil {
		t.Fatalf("%s is restored", what)
	}
	if state.Read().Meta() != before.Meta() || closed(before.Applied().Abandoned) {
		t.Fatalf("%s: %v, and another state", what, err)
	}
	return err
}

// wastes is spoils, and checks that it takes little room and is an error to those who only verify.
func wastes(t *testing.T, state *fsm.State, damaged []byte, what string) (err error) {
	t.Helper()
	if took := allocated(func() { err = spoils(t, state, damaged, what) }); took > 64<<20 {
		t.Fatalf("%s takes %d MiB", what, took>>20)
	}
	if _, also := fsm.VerifySnapshot(bytes.NewReader(damaged)); also == nil {
		t.Fatalf("%s is verified", what)
	}
	return err
}

// TestRestoreDamaged damages every byte of a snapshot, and cuts it at every byte.
func TestRestoreDamaged(t *testing.T) {
	l := newLog(t)
	c := l.cluster(l.discovery("d"), "c", "a")
	l.claim(fsm.KindRefresh, c.ID, fsm.WhyDue)
	whole := l.snapshot()
	state := restored(t, whole)
	for i := range whole {
		damaged := slices.Clone(whole)
		damaged[i] ^= 1 << (i % 8)
		one := spoils(t, state, damaged, fmt.Sprintf("a flipped bit of byte %d", i))
		damaged[i] = ^whole[i]
		all := spoils(t, state, damaged, fmt.Sprintf("byte %d turned round", i))
		if errors.Is(one, fsm.ErrNewer) || errors.Is(all, fsm.ErrNewer) {
			t.Fatalf("damage of byte %d is taken for a later release: %v, %v", i, one, all)
		}
		spoils(t, state, whole[:i], fmt.Sprintf("a snapshot cut at byte %d", i))
	}
	spoils(t, state, append(slices.Clone(whole), 0), "a byte too many")
	spoils(t, state, slices.Concat(whole, whole), "a snapshot twice")
	if !bytes.Equal(whole, snapshot(t, state)) {
		t.Error("the state is not what it was")
	}
}

// joined writes frames with an end of their own, so that only what is wrong in them is wrong.
func joined(t failer, all []frame, rows int) []byte {
	t.Helper()
	var out []byte
	for _, f := range all {
		out = append(binary.AppendUvarint(append(out, f.number), uint64(len(f.body))), f.body...)
	}
	digest := sha256.Sum256(out)
	body, err := cbor.Marshal(struct {
		Rows   int    `cbor:"1,keyasint"`
		Digest []byte `cbor:"2,keyasint"`
	}{rows, digest[:]})
	if err != nil {
		t.Fatal(err)
	}
	return append(binary.AppendUvarint(append(out, 255), uint64(len(body))), body...)
}

// TestRestoreWrong restores snapshots that are whole and hold what they may not.
func TestRestoreWrong(t *testing.T) {
	l := told(t)
	state := restored(t, l.snapshot())
	good := framesOf(t, l.snapshot())
	good = good[:len(good)-1]
	rows := len(good) - 1
	if !bytes.Equal(joined(t, good, rows), l.snapshot()) {
		t.Fatal("joined frames are no snapshot")
	}
	at := func(table byte) int { return slices.IndexFunc(good, func(f frame) bool { return f.number == table }) }
	with := func(i int, change func(*frame)) []frame {
		all := slices.Clone(good)
		all[i].body = slices.Clone(all[i].body)
		change(&all[i])
		return all
	}
	exchanged := func(i, j int) []frame {
		all := slices.Clone(good)
		all[i], all[j] = all[j], all[i]
		return all
	}
	bomb := binary.BigEndian.AppendUint32([]byte{0xa1, 0x0a, 0xa1, 0x06, 0x9a}, 1<<20)
	bomb = append(bomb, bytes.Repeat([]byte{0xa0}, 1<<20)...)
	for name, test := range map[string]struct {
		frames []frame
		rows   int
		newer  bool
	}{
		"a later format":          {with(0, func(f *frame) { f.body = bytes.Replace(f.body, []byte{1, 1}, []byte{1, 2}, 1) }), rows, true},
		"a table not known":       {with(at(7), func(f *frame) { f.number = 99 }), rows, true},
		"an event type not known": {with(at(11), func(f *frame) { f.body = bytes.Replace(f.body, []byte("peer.joined"), []byte("peer.dreamt"), 1) }), rows, true},
		"no header":               {good[1:], rows, true},
		"a row too few":           {good, rows + 1, false},
		"a row too many":          {good, rows - 1, false},
		"without its own row":     {slices.Delete(slices.Clone(good), at(1), at(1)+1), rows - 1, false},
		"an undecodable row":      {with(at(7), func(f *frame) { f.body[0] = 0xff }), rows, false},
		"a row of another table":  {with(at(7), func(f *frame) { f.number = 10 }), rows, false},
		"a list of nothing":       {with(at(7), func(f *frame) { f.body = bomb }), rows, false},
		"a cluster missing":       {slices.Delete(slices.Clone(good), at(6), at(6)+1), rows - 1, false},
		"a node missing":          {slices.Delete(slices.Clone(good), at(7), at(7)+1), rows - 1, false},
		"nodes out of order":      {exchanged(at(7), at(7)+1), rows, false},
		"a cluster's nodes apart": {exchanged(at(7), at(8)-1), rows, false},
		"a node twice":            {slices.Insert(slices.Clone(good), at(7), good[at(7)]), rows + 1, false},
		"a listing twice":         {slices.Insert(slices.Clone(good), at(8), good[at(8)]), rows + 1, false},
		"a discovery missing":     {slices.Delete(slices.Clone(good), at(5), at(5)+1), rows - 1, false},
		"a schedule missing":      {slices.Delete(slices.Clone(good), at(11)-1, at(11)), rows - 1, false},
		"the first event missing": {slices.Delete(slices.Clone(good), at(11), at(11)+1), rows - 1, false},
		"an event missing":        {slices.Delete(slices.Clone(good), at(11)+1, at(11)+2), rows - 1, false},
		"the last event missing":  {slices.Delete(slices.Clone(good), at(12)-1, at(12)), rows - 1, false},
		"an audit row missing":    {slices.Delete(slices.Clone(good), at(12), at(12)+1), rows - 1, false},
		"another index than said": {with(0, func(f *frame) {
			f.body = bytes.Replace(f.body, []byte{2, 0x18, byte(l.index)}, []byte{2, 0x18, byte(l.index + 1)}, 1)
		}), rows, false},
	} {
		t.Run(name, func(t *testing.T) {
			err := wastes(t, state, joined(t, test.frames, test.rows), name)
			if errors.Is(err, fsm.ErrNewer) != test.newer {
				t.Errorf("error is %v", err)
			}
		})
	}
}

// TestRestoreHugeLength restores what claims a row larger than any.
func TestRestoreHugeLength(t *testing.T) {
	state := restored(t, told(t).snapshot())
	for _, size := range []uint64{16 << 20, 16<<20 + 1, 1 << 40, 1<<64 - 1} {
		wastes(t, state, binary.AppendUvarint([]byte{0}, size), fmt.Sprintf("a header of %d bytes", size))
	}
}

// TestRestoreReaderFails checks that a reader's own error comes out.
func TestRestoreReaderFails(t *testing.T) {
	l := told(t)
	away := errors.New("connection lost")
	whole := l.snapshot()
	broken := io.MultiReader(bytes.NewReader(whole[:len(whole)/2]), readerFunc(func([]byte) (int, error) { return 0, away }))
	if err := l.state.Restore(broken); !errors.Is(err, away) {
		t.Errorf("the error is %v", err)
	}
}

type readerFunc func([]byte) (int, error)

func (r readerFunc) Read(p []byte) (int, error) { return r(p) }

// FuzzRestore checks that nothing that is restored, as it is or with a digest that fits, panics or takes much room, and that
// what is restored is written the same again and takes entries; what is not leaves the state alone.
func FuzzRestore(f *testing.F) {
	l := told(f)
	whole := l.snapshot()
	f.Add(whole)
	f.Add(newLog(f).snapshot())
	f.Add(snapshot(f, fsm.NewState()))
	f.Add(whole[:len(whole)-1])
	f.Add([]byte{0, 0xff, 0xff, 0xff, 0x07})
	check := func(t *testing.T, snap []byte) {
		state := fsm.NewState()
		empty := state.Read().Meta()
		var err error
		if took := allocated(func() { err = state.Restore(bytes.NewReader(snap)) }); took > 64<<20 {
			t.Fatalf("%d bytes take %d MiB", len(snap), took>>20)
		}
		if err != nil {
			if state.Read().Meta() != empty {
				t.Fatalf("%v, and another state", err)
			}
			return
		}
		again := snapshot(t, state)
		if !bytes.Equal(again, snapshot(t, restored(t, again))) {
			t.Fatal("what was restored is not written the same again")
		}
		next := log{t: t, state: state, index: state.Read().Meta().Index, now: 1}
		for _, c := range chronicle() {
			next.apply(c...)
		}
		next.apply(&fsm.EventsTrim{First: 1 << 60, Audit: 1})
	}
	f.Fuzz(func(t *testing.T, snap []byte) {
		check(t, snap)
		if all, _ := split(snap); len(all) > 1 {
			if all[len(all)-1].number == 255 {
				all = all[:len(all)-1]
			}
			check(t, joined(t, all, len(all)-1))
		}
	})
}

// TestCheckSnapshot changes each byte of a snapshot, and cuts it off anywhere. What a later release has written is none of its business.
func TestCheckSnapshot(t *testing.T) {
	l := told(t)
	whole, index := l.snapshot(), l.state.Read().Meta().Index
	check := func(index uint64, snap []byte) error { return fsm.CheckSnapshot(index, bytes.NewReader(snap)) }
	if err := check(index, whole); err != nil {
		t.Errorf("as it was written: %v", err)
	}
	if err := check(index+5, whole); err != nil {
		t.Errorf("with entries behind it that are in no state: %v", err)
	}
	if err := check(index-1, whole); err == nil {
		t.Error("a state that is further than it should be was passed")
	}
	if err := check(index, append(bytes.Clone(whole), 0)); err == nil {
		t.Error("something behind it was passed")
	}
	for at := range whole {
		if at%5 > 0 && len(whole)-at > 100 {
			continue
		}
		changed := bytes.Clone(whole)
		changed[at] ^= 0x20
		if check(index, changed) == nil {
			t.Errorf("byte %d of %d: another one was passed", at, len(whole))
		}
		if check(index, whole[:at]) == nil {
			t.Errorf("its first %d bytes were passed", at)
		}
	}
	all, _ := split(whole)
	all[1].number = 200
	if err := check(index, joined(t, all[:len(all)-1], len(all)-2)); err != nil {
		t.Errorf("with a table of a later release: %v", err)
	}
}
