package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/boltstore"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/scripts/rig"
)

// logOf makes a data directory whose log holds the commands, one entry each from 2 on.
func logOf(t *testing.T, commands ...fsm.Command) string {
	t.Helper()
	dir := t.TempDir()
	store, err := boltstore.Open(boltstore.Config{Path: filepath.Join(dir, "raft.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	entries := []*raft.Log{{Index: 1, Term: 1, Type: raft.LogNoop}}
	for i, c := range commands {
		entries = append(entries, &raft.Log{Index: uint64(i + 2), Term: 1, Type: raft.LogCommand, Data: fsm.Entry(1, fsm.Frame(c))})
	}
	if err := store.StoreLogs(entries); err != nil {
		t.Fatal(err)
	}
	return dir
}

var (
	born   = &fsm.GroupCreate{Group: "G", Epoch: "E"}
	leadsA = &fsm.LeaderChange{ID: "A", Name: "peer-a", Term: 2}
	leadsB = &fsm.LeaderChange{ID: "B", Name: "peer-b", Term: 3}
)

// toldOf are the events of a log as followers are told them.
func toldOf(t *testing.T, dir string) []httpd.Event {
	t.Helper()
	d, err := rig.OpenDisk("peer", dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Replay(d.Last); err != nil {
		t.Fatal(err)
	}
	events, err := d.Events()
	if err != nil || len(events) == 0 {
		t.Fatalf("events %v, %v", events, err)
	}
	return events
}

func TestOnDisk(t *testing.T) {
	whole := toldOf(t, logOf(t, born, leadsA, leadsB))
	for name, c := range map[string]struct {
		a, b []fsm.Command
		told []httpd.Event
		want string
	}{
		"the same":           {a: []fsm.Command{born, leadsA, leadsB}, b: []fsm.Command{born, leadsA, leadsB}, told: whole},
		"one is behind":      {a: []fsm.Command{born, leadsA, leadsB}, b: []fsm.Command{born, leadsA}, told: whole[:len(whole)-1]},
		"told more":          {a: []fsm.Command{born, leadsA}, b: []fsm.Command{born, leadsA}, told: whole, want: "followers were told"},
		"told otherwise":     {a: []fsm.Command{born, leadsB}, b: []fsm.Command{born, leadsB}, told: whole[:1], want: "event 1 differs"},
		"states that differ": {a: []fsm.Command{born, leadsA, leadsB}, b: []fsm.Command{born, leadsB, leadsA}, want: "differ at entry 4"},
	} {
		t.Run(name, func(t *testing.T) {
			wrong, err := onDisk(map[string]string{"peer-a": logOf(t, c.a...), "peer-b": logOf(t, c.b...)}, c.told)
			if err != nil {
				t.Fatal(err)
			}
			if all := strings.Join(wrong, "\n"); c.want == "" && all != "" || !strings.Contains(all, c.want) {
				t.Errorf("wrong: %q, want %q", all, c.want)
			}
		})
	}
}

// TestFlip: the byte that is turned is one that the log store finds.
func TestFlip(t *testing.T) {
	path := filepath.Join(logOf(t, born, leadsA), "raft.db")
	index, err := flip(path)
	if err != nil || index != 3 {
		t.Fatalf("turned entry %d, %v", index, err)
	}
	store, err := boltstore.Open(boltstore.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var entry raft.Log
	if err := store.GetLog(3, &entry); err == nil || !strings.Contains(err.Error(), "corrupt") {
		t.Errorf("entry 3 reads: %v", err)
	}
	if stat, err := os.Stat(path); err != nil || stat.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", stat.Mode(), err)
	}
}
