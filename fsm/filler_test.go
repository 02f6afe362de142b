package fsm_test

import (
	"reflect"
	"slices"
	"strconv"

	"github.com/musterhq/muster/fsm"
)

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
		filled[fsm.TokenBootstrap](), filled[fsm.TokenCreate](), filled[fsm.TokenDelete](),
		filled[fsm.SchedulePause](), filled[fsm.ScheduleResume](),
	}
}

// token is a good one.
func token(accessor string, rights ...fsm.Right) fsm.Token {
	return fsm.Token{
		Accessor: accessor, Hash: fsm.HashSecret("secret of " + accessor), Rights: rights, Description: "for " + accessor,
		Expires: 1_900_000_000_000,
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
	fsm.SchedulePaused: &fsm.PausePart{}, fsm.ScheduleResumed: &fsm.PausePart{},
	fsm.ACLBootstrapped: &fsm.TokenPart{}, fsm.TokenCreated: &fsm.TokenPart{}, fsm.TokenDeleted: &fsm.TokenPart{},
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
