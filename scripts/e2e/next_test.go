package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/musterhq/muster/scripts/rig"
)

// nextVersion is what the next release says of itself.
const nextVersion = "2.0.0-next"

// nextRelease builds muster as the release after this one may be, and returns the program's path. The files of the project
// stay as they are: the compiler is given others in their place.
func (w *world) nextRelease() string {
	w.Helper()
	root, err := rig.Root(w.Context())
	w.must(err)
	dir := filepath.Join(w.rig.Dir, "next")
	w.must(os.Mkdir(dir, 0o700))
	edits, err := os.ReadFile(filepath.Join("testdata", "next.edits"))
	w.must(err)
	replace := map[string]string{}
	for _, section := range strings.Split(string(edits), "\n== ")[1:] {
		name, lines, _ := strings.Cut(section, "\n")
		source, err := os.ReadFile(filepath.Join(root, name))
		w.must(err)
		edited, err := edit(string(source), lines)
		if err != nil {
			w.Fatalf("next.edits, %s: %s", name, err)
		}
		path := filepath.Join(dir, strings.ReplaceAll(name, "/", "-"))
		w.must(os.WriteFile(path, []byte(edited), 0o600))
		replace[filepath.Join(root, name)] = path
	}
	raw, err := json.Marshal(object{"Replace": replace})
	w.must(err)
	overlay := filepath.Join(dir, "overlay.json")
	w.must(os.WriteFile(overlay, raw, 0o600))
	bin, err := rig.Build(w.Context(), dir, "-overlay", overlay, "-ldflags", "-X main.version="+nextVersion)
	w.must(err)
	return bin
}

// edit puts lines in the place of others.
func edit(source, lines string) (string, error) {
	var from, to []string
	for line := range strings.Lines(lines) {
		switch line = strings.TrimSuffix(line, "\n"); {
		case strings.HasPrefix(line, "-"):
			from = append(from, line[1:])
		case strings.HasPrefix(line, "+"):
			to = append(to, line[1:])
		}
	}
	old := "\n" + strings.Join(from, "\n") + "\n"
	if n := strings.Count(source, old); n != 1 {
		return "", fmt.Errorf("the lines stand there %d times:%s", n, old)
	}
	return strings.Replace(source, old, "\n"+strings.Join(to, "\n")+"\n", 1), nil
}
