// Package bundletest reads what muster debug has gathered, for tests.
package bundletest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"
)

// Unpack reads an archive: its one folder, and its files by what follows that. They are for their owner alone.
func Unpack(t testing.TB, raw []byte) (folder string, files map[string]string) {
	t.Helper()
	zip, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	files = map[string]string{}
	for in := tar.NewReader(zip); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return folder, files
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		at, name, inside := strings.Cut(h.Name, "/")
		if !inside || h.Mode != 0o600 || folder != "" && at != folder {
			t.Errorf("%s, beside those of %q, has the mode %o", h.Name, folder, h.Mode)
		}
		folder, files[name] = at, string(text)
	}
}
