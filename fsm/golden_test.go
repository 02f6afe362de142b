package fsm_test

import (
	"bytes"
	"encoding/binary"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
)

var update = flag.Bool("update", false, "write the golden files of testdata anew")

// golden compares bytes with a file of testdata, or writes it.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "v1", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; run go test ./fsm -run Golden -update for a new file", err)
	}
	if !bytes.Equal(want, got) {
		at := 0
		for at < min(len(want), len(got)) && want[at] == got[at] {
			at++
		}
		t.Errorf("%s holds %d bytes, what is written now is %d and differs at byte %d:\n%x\n%x",
			path, len(want), len(got), at, want[at:min(at+32, len(want))], got[at:min(at+32, len(got))])
	}
}

// TestGoldenEntries checks that every kind of command is written as it always was and read as it was written.
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
		})
	}
	files, err := filepath.Glob(filepath.Join("testdata", "v1", "entry-*.bin"))
	if err != nil || len(files) != len(examples()) {
		t.Errorf("%d files of %d kinds (%v)", len(files), len(examples()), err)
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

// TestGoldenState checks that the stored log leads to the stored snapshot, and that this is read as it was written.
func TestGoldenState(t *testing.T) {
	l := newLog(t)
	var log []byte
	l.state, l.index, l.now = fsm.NewState(), 100, 1_700_000_000_000
	for _, commands := range chronicle() {
		l.index++
		l.now += 1000
		entry := fsm.Entry(l.now, frames(commands)...)
		log = binary.AppendUvarint(binary.AppendUvarint(log, l.index), uint64(len(entry)))
		log = append(log, entry...)
	}
	golden(t, "log.bin", log)
	for len(log) > 0 {
		var head [2]uint64
		for i := range head {
			v, n := binary.Uvarint(log)
			head[i], log = v, log[n:]
		}
		a, err := l.state.Apply(head[0], log[:head[1]])
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
	golden(t, "snapshot.bin", l.snapshot())
	if stored, err := os.ReadFile(filepath.Join("testdata", "v1", "snapshot.bin")); err != nil ||
		!bytes.Equal(stored, snapshot(t, restored(t, stored))) {
		t.Errorf("the stored snapshot is written otherwise once restored (%v)", err)
	}
	used := map[byte]bool{}
	for _, f := range framesOf(t, l.snapshot()) {
		used[f.number] = true
	}
	for table := range byte(12) {
		if !used[table+1] {
			t.Errorf("the snapshot has no row of table %d", table+1)
		}
	}
}

// filler sets every field of a value, each number and text to another one, so that no two keys can be mistaken.
type filler struct{ n int64 }

func (f *filler) next() int64 { f.n++; return f.n }

func (f *filler) fill(v reflect.Value) {
	if !v.IsZero() {
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("s" + strconv.FormatInt(f.next(), 10))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(f.next())
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(f.next()))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 3 {
			v.SetMapIndex(reflect.ValueOf("k"+strconv.FormatInt(f.next(), 10)), reflect.ValueOf("v"))
		}
	case reflect.Slice:
		if v.Type().Elem() == reflect.TypeFor[fsm.Fact]() {
			for _, kind := range viewTypes {
				v.Set(reflect.Append(v, reflect.ValueOf(f.fact(kind))))
			}
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		f.fill(v.Index(0))
		f.fill(v.Index(1))
	case reflect.Struct:
		for _, field := range v.Fields() {
			f.fill(field)
		}
	default:
		panic("the filler does not know " + v.Type().String())
	}
}

// fact is a fact of a type with both sides.
func (f *filler) fact(kind fsm.EventType) fsm.Fact {
	part := func() fsm.Part {
		p := reflect.New(reflect.TypeOf(partOf[kind]).Elem())
		f.fill(p.Elem())
		return p.Interface().(fsm.Part)
	}
	return fsm.Fact{Type: kind, Node: "n", Shard: "s", Before: part(), After: part()}
}

// filled is a value of a type with every field set.
func filled[T any]() *T {
	var f filler
	v := new(T)
	f.fill(reflect.ValueOf(v).Elem())
	return v
}

// examples is a command of each kind with every field set.
func examples() []fsm.Command {
	return []fsm.Command{
		filled[fsm.GroupCreate](), filled[fsm.LeaderChange](), filled[fsm.PeerSet](), filled[fsm.PeerRemove](),
		filled[fsm.SettingsSet](), filled[fsm.OperatorAct](), filled[fsm.EventsTrim](), filled[fsm.FeatureRaise](),
		filled[fsm.DiscoveryApply](), filled[fsm.DiscoveryDelete](), filled[fsm.DiscoveryRelease](),
		filled[fsm.ClaimGrant](), filled[fsm.ClaimAbandon](), filled[fsm.ClaimExpire](),
		filled[fsm.RunComplete](), filled[fsm.RefreshComplete](), filled[fsm.RefreshUnchanged](), filled[fsm.ClusterChange](),
	}
}

// partOf is what the facts of each type carry.
var partOf = map[fsm.EventType]fsm.Part{
	fsm.ClusterDiscovered: &fsm.ClusterPart{}, fsm.ClusterRemoved: &fsm.ClusterPart{}, fsm.ClusterHealthChanged: &fsm.HealthPart{},
	fsm.ClusterVersionsMixed: &fsm.VersionsPart{}, fsm.ClusterVersionsUniform: &fsm.VersionsPart{},
	fsm.ClusterSettingsChanged: &fsm.SettingsPart{},
	fsm.NodeDiscovered:         &fsm.NodePart{}, fsm.NodeRemoved: &fsm.NodePart{}, fsm.NodeForgotten: &fsm.NodePart{},
	fsm.NodeChanged: &fsm.ListedPart{}, fsm.NodeMissing: &fsm.PresencePart{}, fsm.NodeReturned: &fsm.PresencePart{},
	fsm.NodeCommissioned: &fsm.LifecyclePart{}, fsm.NodeMaintenance: &fsm.LifecyclePart{},
	fsm.NodeResumed: &fsm.LifecyclePart{}, fsm.NodeDecommissioned: &fsm.LifecyclePart{},
	fsm.NodeSettingsChanged: &fsm.SettingsPart{}, fsm.NodeUnreachable: &fsm.ReachPart{}, fsm.NodeReachable: &fsm.ReachPart{},
	fsm.NodeUp: &fsm.StatePart{}, fsm.NodeDown: &fsm.StatePart{}, fsm.NodeJoining: &fsm.StatePart{},
	fsm.NodeLeaving: &fsm.StatePart{}, fsm.NodeUnknown: &fsm.StatePart{}, fsm.NodeInfoChanged: &fsm.SoftwarePart{},
	fsm.NodeAttributeMuted: &fsm.MutedPart{}, fsm.NodeIdentityMismatch: &fsm.IdentityPart{},
	fsm.NodeIdentityMatched: &fsm.IdentityPart{}, fsm.ShardAdded: &fsm.ShardPart{}, fsm.ShardChanged: &fsm.ShardPart{},
	fsm.ShardRemoved: &fsm.ShardPart{}, fsm.ShardLagHigh: &fsm.LagPart{}, fsm.ShardLagOK: &fsm.LagPart{},
	fsm.ShardPrimaryChanged: &fsm.PrimaryPart{}, fsm.ShardPrimaryLost: &fsm.PrimaryPart{},
	fsm.ShardPrimaryRestored: &fsm.PrimaryPart{}, fsm.ShardPrimaryDuplicate: &fsm.PrimaryPart{},
	fsm.DiscoveryApplied: &fsm.DiscoveryPart{}, fsm.DiscoveryDeleted: &fsm.DiscoveryPart{},
	fsm.DiscoveryFailed: &fsm.RunPart{}, fsm.DiscoveryRecovered: &fsm.RunPart{},
	fsm.DiscoveryHeld: &fsm.HeldPart{}, fsm.DiscoveryReleased: &fsm.HeldPart{}, fsm.ClaimExpired: &fsm.ExpiredPart{},
	fsm.PeerJoined: &fsm.PeerPart{}, fsm.PeerLeft: &fsm.PeerPart{}, fsm.PeerFailed: &fsm.PeerPart{},
	fsm.PeerReturned: &fsm.PeerPart{}, fsm.PeerDoubted: &fsm.PeerPart{}, fsm.LeaderChanged: &fsm.LeaderPart{},
	fsm.SettingsChanged: &fsm.GlobalsPart{}, fsm.OperatorActed: &fsm.ActionPart{}, fsm.StateRestored: &fsm.RestoredPart{},
}

func eventTypes() []fsm.EventType {
	var out []fsm.EventType
	for t := range partOf {
		out = append(out, t)
	}
	slices.Sort(out)
	return out
}

// viewTypes are those whose facts fold into views.
var viewTypes = slices.DeleteFunc(eventTypes(), func(t fsm.EventType) bool {
	return !t.Matches("cluster.*") && !t.Matches("node.*") && !t.Matches("shard.*")
})
