package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tallied runs go test over a module of the given test functions, one package each, and returns the report.
func tallied(t *testing.T, packages map[string]string) (report string, err error) {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "go.mod", "module example.org/tallied\n\ngo 1.26\n")
	for name, body := range packages {
		write(t, dir, name+"/"+name+".go", "package "+name+"\n")
		if body != "" {
			write(t, dir, name+"/"+name+"_test.go", "package "+name+"\n\nimport \"testing\"\n\n"+body)
		}
	}
	t.Chdir(dir)
	var out strings.Builder
	err = run(t.Context(), []string{"./..."}, &out)
	return out.String(), err
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	file := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func wantReport(t *testing.T, report string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(report, part) {
			t.Errorf("report lacks %q:\n%s", part, report)
		}
	}
}

func TestReportNamesWhatRanAndWhatWasSkipped(t *testing.T) {
	report, err := tallied(t, map[string]string{
		"good": "func TestA(t *testing.T) { t.Log(\"quiet\"); t.Run(\"part\", func(*testing.T) {}) }\n",
		"lazy": "func TestB(t *testing.T) { t.Skip(\"needs a moon\") }\nfunc TestC(t *testing.T) { t.SkipNow() }\n",
		"bare": "",
	})
	if err != nil {
		t.Fatal(err)
	}
	wantReport(t, report,
		"ok  \texample.org/tallied/good",
		"?   \texample.org/tallied/bare\t[no test files]",
		"ran the tests of 2 packages; 1 more have none",
		"skipped example.org/tallied/lazy TestB: lazy_test.go:5: needs a moon\n",
		"skipped example.org/tallied/lazy TestC: no reason given\n",
		"\n2 passed, 0 failed, 2 skipped\n")
	if strings.Contains(report, "quiet") {
		t.Errorf("report repeats what a passed test said:\n%s", report)
	}
}

func TestReportTellsAllOfAFailure(t *testing.T) {
	report, err := tallied(t, map[string]string{
		"bad":  "func TestA(t *testing.T) { t.Error(\"it broke\") }\n",
		"dead": "func TestB(t *testing.T) { panic(\"it fell over\") }\n",
		"gone": "import \"os\"\nfunc TestD(t *testing.T) { println(\"last words\"); os.Exit(3) }\n",
		"good": "func TestC(t *testing.T) {}\n",
	})
	if err == nil {
		t.Error("run of failing tests returned no error")
	}
	wantReport(t, report, "it broke", "--- FAIL: TestA", "FAIL\texample.org/tallied/bad", "it fell over", "last words",
		"ok  \texample.org/tallied/good", "\n1 passed, 3 failed, 0 skipped\n")
}

func TestReportTellsOfWhatDoesNotBuild(t *testing.T) {
	report, err := tallied(t, map[string]string{"broken": "func TestA(t *testing.T) { undefinedName() }\n"})
	if err == nil {
		t.Error("run of a broken build returned no error")
	}
	wantReport(t, report, "undefined: undefinedName", "FAIL\texample.org/tallied/broken [build failed]")
}

func TestARunWithoutTestsFails(t *testing.T) {
	if report, err := tallied(t, map[string]string{"bare": ""}); err == nil {
		t.Errorf("run without tests returned no error:\n%s", report)
	}
}
