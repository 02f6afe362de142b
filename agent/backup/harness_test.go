package backup_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"testing"

	"go.uber.org/goleak"

	"github.com/musterhq/muster/agent/backup"
	"github.com/musterhq/muster/fsm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// state is a small one with events.
func state(t testing.TB) *fsm.State {
	t.Helper()
	s := fsm.NewState()
	spec := fsm.DefaultSpec()
	spec.Backend = "file"
	for i, c := range []fsm.Command{
		&fsm.GroupCreate{Group: "g", Epoch: "e1", Feature: 1},
		&fsm.PeerSet{Peer: fsm.Peer{ID: "p1", Name: "peer-a", Status: fsm.PeerAlive}},
		&fsm.LeaderChange{ID: "p1", Name: "peer-a", Term: 3},
		&fsm.DiscoveryApply{Name: "all", Spec: spec, Cause: fsm.Cause{Kind: fsm.CauseOperator}},
	} {
		applied, err := s.Apply(uint64(10+i), fsm.Entry(fsm.Time(1_700_000_000_000+i), fsm.Frame(c)))
		if err != nil || applied.Results[0].Error != nil {
			t.Fatal(err, applied)
		}
	}
	return s
}

func written(t testing.TB, s *fsm.State) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := backup.Write(&b, s.Read()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func snapshot(t testing.TB, s *fsm.State) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.Read().WriteSnapshot(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// entry is one file of an archive.
type entry struct {
	name string
	body []byte
}

func entries(t testing.TB, archive []byte) (out []entry) {
	t.Helper()
	zip, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	files := tar.NewReader(zip)
	for {
		head, err := files.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(files)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, entry{head.Name, body})
	}
}

func archive(t testing.TB, all ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	files := tar.NewWriter(zip)
	for _, e := range all {
		if err := files.WriteHeader(&tar.Header{Name: e.name, Size: int64(len(e.body)), Mode: 0o600}); err != nil {
			t.Fatal(err)
		}
		if _, err := files.Write(e.body); err != nil {
			t.Fatal(err)
		}
	}
	for _, end := range []func() error{files.Close, zip.Close} {
		if err := end(); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}
