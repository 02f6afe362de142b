package namedfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/musterhq/muster/agent/namedfile"
)

// TestRead gives all kinds of things a file may turn out to be. A pipe that nobody writes to would have the test wait for ever.
func TestRead(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, text := range map[string]string{"good": "canary", "long": "canary-", "open": "canary"} {
		if err := os.WriteFile(at(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Chmod(at("open"), 0o604), os.Symlink("good", at("link")), syscall.Mkfifo(at("pipe"), 0o600)); err != nil {
		t.Fatal(err)
	}
	rules := namedfile.Rules{Most: 6, Mode: func(path string, mode fs.FileMode) error {
		if mode&0o007 != 0 {
			return errors.New(path + " is open to all")
		}
		return nil
	}}
	for _, tt := range []struct{ path, want string }{
		{at("good"), ""},
		{at("link"), ""},
		{at("none"), at("none") + ": no such file"},
		{at("long"), at("long") + " is larger than the 6 bytes"},
		{at("open"), at("open") + " is open to all"},
		{at("pipe"), at("pipe") + " is a pipe; wanted is a regular file"},
		{dir, dir + " is a directory"},
		{"/dev/zero", "/dev/zero is a device"},
	} {
		got, err := namedfile.Read(tt.path, rules)
		switch {
		case tt.want == "" && (err != nil || string(got) != "canary"):
			t.Errorf("%s: %q, %v", tt.path, got, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "canary") || got != nil):
			t.Errorf("%s: %q, %v; want %q", tt.path, got, err, tt.want)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for name, want := range map[string]string{"good": "", "link": "", "long": "long is larger", "pipe": "pipe is a pipe", "../x": "escapes"} {
		got, err := namedfile.ReadIn(root, name, rules)
		if want == "" && (err != nil || string(got) != "canary") || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s in the directory: %q, %v; want %q", name, got, err, want)
		}
	}
	if _, err := namedfile.Read("/dev/zero", namedfile.Rules{}); err == nil {
		t.Error("an endless file: no error")
	}
}
