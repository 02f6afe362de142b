package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWarnsOfTokensGivenAway has the same peer asked in ways that give a token away, and in others.
func TestWarnsOfTokensGivenAway(t *testing.T) {
	const plainly, open = "the token goes to", "is open to everybody"
	a := fleet(t)
	port := a.server.URL[strings.LastIndex(a.server.URL, ":"):]
	file := func(mode os.FileMode) string {
		path := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(path, []byte("secret"), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tight, group, wide := file(0o600), file(0o640), file(0o644)
	for _, c := range []struct {
		env  map[string]string
		args []string
		want string // "" is no warning
	}{
		{nil, []string{"-http-addr", "0.0.0.0" + port}, ""},
		{nil, []string{"-http-addr", "0.0.0.0" + port, "-token", "secret"}, plainly},
		{nil, []string{"-http-addr", "http://0.0.0.0" + port, "-token-file", tight}, plainly},
		{map[string]string{"MUSTER_HTTP_TOKEN": "secret"}, []string{"-http-addr", "0.0.0.0" + port}, plainly},
		{nil, []string{"-http-addr", "127.0.0.1" + port, "-token", "secret"}, ""},
		{nil, []string{"-http-addr", "http://localhost" + port, "-token", "secret"}, ""},
		{nil, []string{"-token-file", wide}, open},
		{map[string]string{"MUSTER_HTTP_TOKEN_FILE": wide}, nil, open},
		{map[string]string{"MUSTER_HTTP_TOKEN_FILE": wide}, []string{"-token", "other"}, ""},
		{nil, []string{"-token-file", group}, ""},
		{nil, []string{"-token-file", tight}, ""},
	} {
		r := run{env: c.env}.do(t, a, append([]string{"members"}, c.args...)...)
		if warned := strings.Contains(r.err, "Warning: "); r.code != 0 || warned != (c.want != "") || !strings.Contains(r.err, c.want) {
			t.Errorf("%v with %v: exit %d, %q; want a warning of %q", c.args, c.env, r.code, r.err, c.want)
		}
		if strings.Contains(r.err, "secret") || strings.Contains(r.out, "Warning") {
			t.Errorf("%v: said %q and %q", c.args, r.out, r.err)
		}
	}
	// TLS keeps a token to itself; that nobody answers there makes no difference.
	r := run{}.do(t, nil, "members", "-http-addr", "https://0.0.0.0:1", "-token", "secret")
	if r.code == 0 || strings.Contains(r.err, "Warning") {
		t.Errorf("over TLS: %+v", r)
	}
}
