package packaging_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// foreign makes a program for another architecture than this machine's. What it does is of no interest: compiling muster itself
// twice would take minutes.
func foreign(t *testing.T) (program, arch string) {
	t.Helper()
	arch = map[string]string{"amd64": "arm64", "arm64": "amd64"}[runtime.GOARCH]
	dir := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module x\n", "main.go": "package main\n\nfunc main() {}\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", "muster", ".")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return filepath.Join(dir, "muster"), arch
}

// asks is what dpkg-deb says of a package.
func asks(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "dpkg-deb", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("dpkg-deb %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// TestDebOfAnotherArchitecture packs a program that this machine cannot run: what the package says of itself, and that all is in
// it, completions too, which the program itself would have written.
func TestDebOfAnotherArchitecture(t *testing.T) {
	if testing.Short() {
		return
	}
	program, arch := foreign(t)
	t.Setenv("MAINTAINER", "Ops & Friends <ops@example.com>")
	path := deb(t, "v1.2.3", program, "022")
	if name := filepath.Base(path); name != "muster_1.2.3_"+arch+".deb" {
		t.Errorf("the package is called %s", name)
	}
	for field, want := range map[string]string{
		"Package": "muster", "Version": "1.2.3", "Architecture": arch, "Maintainer": "Ops & Friends <ops@example.com>",
	} {
		if got := strings.TrimSpace(asks(t, "--field", path, field)); got != want {
			t.Errorf("%s is %q, wanted %q", field, got, want)
		}
	}
	var got []string
	for line := range strings.Lines(asks(t, "--contents", path)) {
		if f := strings.Fields(line); !strings.HasSuffix(f[5], "/") {
			got = append(got, f[0]+" "+f[1]+" "+strings.TrimPrefix(f[5], "."))
			if f[2] == "0" {
				t.Errorf("%s is empty", f[5])
			}
		}
	}
	slices.Sort(got)
	const file, runs = "-rw-r--r-- root/root ", "-rwxr-xr-x root/root "
	want := []string{
		file + "/etc/muster/agent.hcl", file + "/usr/lib/systemd/system/muster-sidecar@.service",
		file + "/usr/lib/systemd/system/muster.service", file + "/usr/share/bash-completion/completions/muster",
		file + "/usr/share/doc/muster/changelog.gz", file + "/usr/share/doc/muster/copyright",
		file + "/usr/share/doc/muster/examples/sidecar-redis.env", file + "/usr/share/fish/vendor_completions.d/muster.fish",
		file + "/usr/share/zsh/vendor-completions/_muster", runs + "/usr/bin/muster",
	}
	if !slices.Equal(got, want) {
		t.Errorf("in it are\n%s\nwanted are\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestDebSaysWhomToAsk: with what no program could read a package is not made.
func TestDebSaysWhomToAsk(t *testing.T) {
	if testing.Short() {
		return
	}
	program, _ := foreign(t)
	cmd := exec.CommandContext(t.Context(), "./deb.sh", "v1.2.3", program, t.TempDir())
	cmd.Env = append(os.Environ(), "MAINTAINER=me")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), `"me" is not of the form NAME <ADDRESS>`) {
		t.Errorf("a maintainer without an address: %v\n%s", err, out)
	}
}
