package gossip

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/memberlist"
)

func full() Member {
	return Member{
		Name: "peer-a.eu-central.example.org", Group: "01J1111111111111111111111A", Version: "1.12.0-rc1+abcdef0",
		PeerAddr: "[2001:db8::1]:8651", HTTPAddr: "[2001:db8::1]:8650", Worker: true, Expect: 5, HasLog: true, Intent: Leaving,
		Labels: map[string]string{"zone": "eu-central-1a", "rack": "r17", "tier": "gold"},
	}
}

func TestMetaRoundTrip(t *testing.T) {
	for name, m := range map[string]Member{"full": full(), "bare": {Name: "a"}} {
		b, err := encodeMeta(m)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := decodeMeta(b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(m, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if name == "full" && len(b) > 220 {
			t.Errorf("a full member takes %d bytes", len(b))
		}
	}
}

func TestMetaOfANewerRelease(t *testing.T) {
	b, err := encoding.Marshal(map[int]any{1: "a", 9: 77, 99: "unheard of"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeMeta(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Member{Name: "a"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestOversizeNamesFieldAndLimit(t *testing.T) {
	m := full()
	for i := range 20 {
		m.Labels[fmt.Sprintf("label-%02d", i)] = strings.Repeat("v", 20)
	}
	_, err := encodeMeta(m)
	var size *SizeError
	if !errors.As(err, &size) || size.Field != "labels" || size.Limit != 512 || size.Size <= 512 {
		t.Errorf("got %v", err)
	}
	r, err := newRoster(full())
	if err != nil {
		t.Fatal(err)
	}
	before := r.spoken()
	if err := r.say(func(x *Member) { x.Labels = m.Labels; x.Expect = 9 }); !errors.As(err, &size) {
		t.Errorf("say: %v", err)
	}
	if diff := cmp.Diff(before, r.spoken()); diff != "" || r.members()[0].Expect != 5 {
		t.Errorf("a refused update left a trace: %s", diff)
	}
	if _, err := newRoster(m); !errors.As(err, &size) {
		t.Errorf("new: %v", err)
	}
}

func TestUnfitMembers(t *testing.T) {
	for want, spoil := range map[string]func(*Member){
		"name":         func(m *Member) { m.Name = "" },
		"printable":    func(m *Member) { m.Name = "a\x1b[2J" },
		"group":        func(m *Member) { m.Group = "not-a-ulid" },
		"expect":       func(m *Member) { m.Expect = -1 },
		"intent":       func(m *Member) { m.Intent = "dancing" },
		"labels":       func(m *Member) { m.Labels = map[string]string{"a": "b\n"} },
		"peer address": func(m *Member) { m.PeerAddr = "\xff" },
	} {
		m := full()
		spoil(&m)
		if _, err := encodeMeta(m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
}

func FuzzDecodeMeta(f *testing.F) {
	b, err := encodeMeta(full())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte{})
	f.Add([]byte{0xbf, 0x01})
	f.Add([]byte{0xa1, 0x02, 0x43, 1, 2, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeMeta(b)
		if err != nil {
			return
		}
		if _, err := encodeMeta(m); err != nil {
			if _, ok := errors.AsType[*SizeError](err); !ok {
				t.Errorf("read %+v but cannot say it: %v", m, err)
			}
		}
	})
}

func TestRosterIsBounded(t *testing.T) {
	r, err := newRoster(Member{ID: "self", Name: "a"})
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]string, rosterLimit-1)
	for i := range ids {
		ids[i] = fmt.Sprint("id", i)
		if err := r.admit(ids[i]); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		r.saw(Member{ID: ids[i]}, r.self.Since)
	}
	if err := r.admit("late"); !errors.Is(err, errFull) {
		t.Errorf("admitted one too many: %v", err)
	}
	if err := r.admit(ids[7]); err != nil {
		t.Errorf("refused a known member: %v", err)
	}
	r.lost(ids[7], r.self.Since)
	if err := r.admit("late"); err != nil {
		t.Errorf("did not make room: %v", err)
	}
	if _, known := r.member(ids[7]); known {
		t.Error("forgot somebody else")
	}
}

func TestParseLine(t *testing.T) {
	for in, want := range map[string]struct {
		level slog.Level
		text  string
	}{
		"[DEBUG] memberlist: Stream connection from=1.2.3.4:5": {slog.LevelDebug, "Stream connection from=1.2.3.4:5"},
		"[INFO] memberlist: Suspect x has failed":              {slog.LevelInfo, "Suspect x has failed"},
		"[WARN] memberlist: Refuting":                          {slog.LevelWarn, "Refuting"},
		"[ERR] memberlist: Failed to send":                     {slog.LevelWarn, "Failed to send"},
		"Err: Could not set the deadline":                      {slog.LevelWarn, "Err: Could not set the deadline"},
		"[WARN] memberlist: Refuting an alive message for 'x' (1.2.3.4:5) meta:([1 2] VS [3]), vsn:([] VS [])": {
			slog.LevelWarn, "Refuting an alive message for 'x' (1.2.3.4:5)",
		},
		"[ERR] " + strings.Repeat("x", 2000): {slog.LevelWarn, strings.Repeat("x", lineLimit)},
	} {
		if level, text := parseLine(in); level != want.level || text != want.text {
			t.Errorf("%.80q: got %v %q", in, level, text)
		}
	}
}

func TestNodeNamesAreIDs(t *testing.T) {
	b, err := encodeMeta(full())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := decodeNode(&memberlist.Node{Name: "host-1", Meta: b}); !errors.Is(err, errName) {
		t.Errorf("got %v", err)
	}
}
