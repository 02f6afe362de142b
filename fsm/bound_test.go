package fsm_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/musterhq/muster/fsm"
)

// shards is n shards of a role, named by a letter and a number from one on.
func shards(letter string, from, n int, role string) []fsm.Shard {
	out := make([]fsm.Shard, n)
	for i := range out {
		out[i] = fsm.Shard{ID: fmt.Sprintf("%s%05d", letter, from+i), Role: role}
	}
	return out
}

// holding is the bounded answer of a node that is up and holds these shards.
func holding(node string, held ...[]fsm.Shard) fsm.Report {
	r := up(node)
	r.Shards = slices.Concat(held...)
	r.Bound()
	return r
}

// TestBoundCutsShards checks where a list of shards is cut, that it is said, and that one at the limit is whole.
func TestBoundCutsShards(t *testing.T) {
	for n, want := range map[int]string{0: "", 1: "", fsm.MaxShards: "", fsm.MaxShards + 1: "shards", 10_000: "shards"} {
		held := shards("s", 0, n, "primary")
		slices.Reverse(held)
		r := holding("a", held)
		if diff := cmp.Diff(shards("s", 0, min(n, fsm.MaxShards), "primary"), append([]fsm.Shard{}, r.Shards...)); diff != "" {
			t.Errorf("of %d shards are left (-want +got):\n%s", n, diff)
		}
		if got := r.Attributes[fsm.AttributeCut]; got != want || want == "" && r.Attributes != nil {
			t.Errorf("of %d shards it says %q is cut", n, got)
		}
	}
	twice := holding("a", shards("s", 0, fsm.MaxShards, "primary"), shards("s", 0, 9, "replica"))
	if twice.Attributes != nil || twice.Shards[0].Role != "primary" || len(twice.Shards) != fsm.MaxShards {
		t.Errorf("shards named twice: %+v, %d left", twice.Attributes, len(twice.Shards))
	}
}

// TestBoundNamesWhatItCut checks which word stands for what, and that free text beside a reason has none: it may change with
// every poll.
func TestBoundNamesWhatItCut(t *testing.T) {
	many := attrs{}
	for i := range fsm.MaxAttributes {
		many[fmt.Sprintf("k%02d", i)] = "v"
	}
	long := strings.Repeat("x", 600)
	more := maps.Clone(many)
	more["l"] = "v"
	for name, test := range map[string]struct {
		change func(*fsm.Report)
		want   string
	}{
		"nothing":               {func(*fsm.Report) {}, ""},
		"attributes at limit":   {func(r *fsm.Report) { r.Attributes = many }, ""},
		"one attribute more":    {func(r *fsm.Report) { r.Attributes = more }, "attributes"},
		"attribute without key": {func(r *fsm.Report) { r.Attributes = attrs{"": "v"} }, "attributes"},
		"long key":              {func(r *fsm.Report) { r.Attributes = attrs{long: "v"} }, "attributes"},
		"long value":            {func(r *fsm.Report) { r.Attributes = attrs{"k": long} }, "texts"},
		"value not printable":   {func(r *fsm.Report) { r.Attributes = attrs{"k": "a\x00b"} }, ""},
		"no room to say so":     {func(r *fsm.Report) { r.Attributes, r.Kind = many, long }, "attributes texts"},
		"long node id":          {func(r *fsm.Report) { r.NodeID = long }, "texts"},
		"long cluster id":       {func(r *fsm.Report) { r.ClusterID = long }, "texts"},
		"long kind":             {func(r *fsm.Report) { r.Kind = long }, "texts"},
		"long version":          {func(r *fsm.Report) { r.Version = long }, "texts"},
		"long sidecar version":  {func(r *fsm.Report) { r.SidecarVersion = long }, "texts"},
		"long shard id":         {func(r *fsm.Report) { r.Shards = []fsm.Shard{{ID: long}} }, "texts"},
		"long role":             {func(r *fsm.Report) { r.Shards = []fsm.Shard{{ID: "s", Role: long}} }, "texts"},
		"long unit":             {func(r *fsm.Report) { r.Shards = []fsm.Shard{{ID: "s", Offset: &fsm.Offset{Unit: long}}} }, "texts"},
		"long details":          {func(r *fsm.Report) { r.Reason, r.Detail, r.StateReason, r.StateDetail = long, long, long, long }, ""},
		"all": {func(r *fsm.Report) {
			r.Attributes, r.Kind, r.Shards = more, long, shards("s", 0, 2000, "primary")
		}, "attributes shards texts"},
	} {
		t.Run(name, func(t *testing.T) {
			r := with(up("a"), test.change)
			r.Bound()
			if got := r.Attributes[fsm.AttributeCut]; got != test.want {
				t.Errorf("it says %q is cut, want %q", got, test.want)
			}
			for range 2 { // as what answers for the node passes it on, and the peer takes it
				again := with(r, func(r *fsm.Report) { r.Shards, r.Attributes = slices.Clone(r.Shards), maps.Clone(r.Attributes) })
				again.Bound()
				if diff := cmp.Diff(r, again); diff != "" {
					t.Errorf("bounded again (-once +again):\n%s", diff)
				}
			}
		})
	}
}

// TestBoundPassesOn checks that of what came as cut only muster's words are kept, beside what is cut now.
func TestBoundPassesOn(t *testing.T) {
	for said, want := range map[string]string{
		"": "", "nonsense": "", "shards": "shards", "texts shards": "shards texts", "attributes nonsense": "attributes",
	} {
		r := with(up("a"), func(r *fsm.Report) { r.Attributes = attrs{fsm.AttributeCut: said} })
		r.Bound()
		if got := r.Attributes[fsm.AttributeCut]; got != want || want == "" && r.Attributes != nil {
			t.Errorf("said was %q, kept is %q", said, r.Attributes)
		}
	}
	r := with(up("a"), func(r *fsm.Report) {
		r.Attributes, r.Kind = attrs{fsm.AttributeCut: "shards"}, strings.Repeat("x", 600)
	})
	if r.Bound(); r.Attributes[fsm.AttributeCut] != "shards texts" {
		t.Errorf("it says %q is cut", r.Attributes)
	}
}

// drawText draws a text that a hostile node may say.
func drawText(t *rapid.T, what string) string {
	piece := rapid.SampledFrom([]string{
		"", "x", "é", "世界", "😀", "\x00", "\xff", "\xf0\x9f", "a\nb", " ", "\u202e", "\ufffd", fsm.AttributeCut, "shards",
	}).Draw(t, what)
	return strings.Repeat(piece, rapid.SampledFrom([]int{1, 1, 3, 63, 64, 65, 300, 513}).Draw(t, "times")) +
		rapid.SampledFrom([]string{"", "", "y", "\x80"}).Draw(t, "end")
}

func drawHostile(t *rapid.T) fsm.Report {
	r := fsm.Report{
		Node: "a", Reachable: true, State: drawText(t, "state"), StateReason: drawText(t, "state reason"),
		StateDetail: drawText(t, "state detail"), Reason: drawText(t, "reason"), Detail: drawText(t, "detail"),
		NodeID: drawText(t, "node"), ClusterID: drawText(t, "cluster"), Kind: drawText(t, "kind"),
		Version: drawText(t, "version"), SidecarVersion: drawText(t, "sidecar"),
	}
	for range rapid.IntRange(0, 5).Draw(t, "shards") {
		s := fsm.Shard{ID: drawText(t, "id"), Role: drawText(t, "role")}
		if rapid.Bool().Draw(t, "offset") {
			s.Offset = &fsm.Offset{Unit: drawText(t, "unit")}
		}
		r.Shards = append(r.Shards, s)
	}
	r.Shards = append(r.Shards, shards("s", 0, rapid.SampledFrom([]int{0, 0, 1020, 1100}).Draw(t, "more shards"), "primary")...)
	r.Attributes = attrs{}
	for range rapid.IntRange(0, 5).Draw(t, "attributes") {
		r.Attributes[drawText(t, "key")] = drawText(t, "value")
	}
	for i := range rapid.SampledFrom([]int{0, 0, 60, 70}).Draw(t, "more attributes") {
		r.Attributes[fmt.Sprint("k", i)] = "v"
	}
	return r
}

// TestBoundHolds checks that whatever a node says, no report is beyond the limits, all of it prints, its shards are in order
// and each once, and that bounding it again changes nothing; and that what was cut is said exactly when something was.
func TestBoundHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := drawHostile(t)
		r := with(raw, func(r *fsm.Report) { r.Shards = slices.Clone(r.Shards) })
		r.Bound()
		within := func(what, s string, most int) {
			bad := func(c rune) bool { return !unicode.IsPrint(c) }
			if len(s) > most || !utf8.ValidString(s) || strings.ContainsFunc(s, bad) {
				t.Fatalf("%s of %d bytes: %q", what, len(s), s)
			}
		}
		for what, s := range map[string]string{
			"state": r.State, "state reason": r.StateReason, "reason": r.Reason, "kind": r.Kind, "version": r.Version,
			"sidecar version": r.SidecarVersion,
		} {
			within(what, s, fsm.MaxWord)
		}
		for what, s := range map[string]string{"detail": r.Detail, "state detail": r.StateDetail} {
			within(what, s, fsm.MaxText)
		}
		within("node id", r.NodeID, fsm.MaxName)
		within("cluster id", r.ClusterID, fsm.MaxName)
		for i, s := range r.Shards {
			within("shard id", s.ID, fsm.MaxName)
			within("role", s.Role, fsm.MaxWord)
			if s.Offset != nil {
				within("unit", s.Offset.Unit, fsm.MaxWord)
			}
			if i > 0 && r.Shards[i-1].ID >= s.ID {
				t.Fatalf("shard %q stands before %q", r.Shards[i-1].ID, s.ID)
			}
		}
		if len(r.Shards) > fsm.MaxShards || len(r.Attributes) > fsm.MaxAttributes {
			t.Fatalf("%d shards and %d attributes", len(r.Shards), len(r.Attributes))
		}
		for k, v := range r.Attributes {
			within("key", k, fsm.MaxName)
			within("value", v, fsm.MaxText)
		}
		again := with(r, func(r *fsm.Report) { r.Shards = slices.Clone(r.Shards) })
		again.Bound()
		if diff := cmp.Diff(r, again); diff != "" {
			t.Fatalf("bounded again (-once +again):\n%s", diff)
		}
		if _, said := r.Attributes[fsm.AttributeCut]; said != beyond(&raw) {
			t.Fatalf("something is beyond the limits: %t; it says %q", !said, r.Attributes)
		}
	})
}

// beyond says whether something that is named when it is cut is beyond its limit, or was for who passed it on.
func beyond(r *fsm.Report) bool {
	words := []string{r.Kind, r.Version, r.SidecarVersion}
	ids, names, texts := map[string]bool{}, []string{r.NodeID, r.ClusterID}, []string{}
	for _, s := range r.Shards {
		if ids[s.ID] {
			continue // of two with one id the first counts
		}
		ids[s.ID], names, words = true, append(names, s.ID), append(words, s.Role)
		if s.Offset != nil {
			words = append(words, s.Offset.Unit)
		}
	}
	own := 0
	for k, v := range r.Attributes {
		if k == fsm.AttributeCut {
			if strings.Contains(v, "shards") {
				return true
			}
			continue
		}
		own++
		if names, texts = append(names, k), append(texts, v); k == "" {
			return true
		}
	}
	longer := func(most int) func(string) bool { return func(s string) bool { return len(s) > most } }
	return len(ids) > fsm.MaxShards || own > fsm.MaxAttributes || slices.ContainsFunc(words, longer(fsm.MaxWord)) ||
		slices.ContainsFunc(names, longer(fsm.MaxName)) || slices.ContainsFunc(texts, longer(fsm.MaxText))
}
