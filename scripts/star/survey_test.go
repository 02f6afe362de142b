package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// writeModule lays out a module with this one's name and the given files in a new folder.
func writeModule(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	files["go.mod"] = "module " + module + "\n\ngo 1.26\n"
	for name, content := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestSurveyNamesFileLineEdgeAndRule(t *testing.T) {
	dir := writeModule(t, map[string]string{
		"discovery/discovery.go": "package discovery\n\nimport _ \"" + module + "/fsm\"\n",
		"http/tagged.go":         "//go:build never\n\npackage http\n\nimport _ \"" + module + "/agent\"\n",
		"http/http.go":           "package http\n",
		"http/_draft.go":         "package http\n\nimport _ \"" + module + "/agent\"\n",
		"http/http_test.go":      "package http_test\n\nimport (\n\t_ \"testing\"\n\t_ \"" + module + "/refresh\"\n)\n",
		"agent/agent.go":         "package agent\n\nimport _ \"" + module + "/http\"\n",
		"refresh/refresh.go":     "package refresh\n\nimport (\n\t_ \"example.org/not/downloaded\"\n\t_ \"github.com/gorilla/mux\"\n)\n",
		"fsm/fsm.go":             "package fsm\n\nimport (\n\t_ \"os\"\n\t\"time\"\n)\n\nvar born = time.Now()\n",
		"fsm/fsm_test.go":        "package fsm_test\n\nimport (\n\t_ \"os\"\n\t\"time\"\n)\n\nvar born = time.Now()\n",
		"model/model.go":         "package model\n\nimport _ \"fmt\"\n",
	})
	got, err := survey(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`fsm/fsm.go:4: imports os: not among the few packages that fsm may import (fsmImports in scripts/star/rules.go)`,
		`fsm/fsm.go:8: fsm reads no clock and no time zone: time.Now`,
		`http/tagged.go:5: imports ` + module + `/agent: http may import only fsm`,
		`http/http_test.go:5: imports ` + module + `/refresh: http may import only fsm`,
		`model/model.go:3: imports fmt: "model" is none of the project's top-level folders`,
		`refresh/refresh.go:5: imports github.com/gorilla/mux: github.com/gorilla/mux is at home in http alone`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("offences (-want +got):\n%s", diff)
	}
}

func TestSurveyFailsOutsideAModule(t *testing.T) {
	if got, err := survey(t.Context(), t.TempDir()); err == nil {
		t.Errorf("survey of an empty folder = %q, want an error", got)
	}
}

func TestSurveyFailsOnAFileItCannotRead(t *testing.T) {
	dir := writeModule(t, map[string]string{"fsm/fsm.go": "package fsm\n\nimport \"unclosed\n"})
	if got, err := survey(t.Context(), dir); err == nil {
		t.Errorf("survey of a broken file = %q, want an error", got)
	}
}
