package docs_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/scripts/docs"
)

// follow does what a page says.
func follow(t *testing.T, text string) error {
	t.Helper()
	steps, err := docs.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	m := machine
	m.Dir = t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return m.Follow(ctx, steps)
}

// TestAPageThatIsRight has every kind of step see what the ones before it did.
func TestAPageThatIsRight(t *testing.T) {
	if testing.Short() {
		return
	}
	if err := follow(t, "    word=kept\n    cd /var/lib\n\n<!-- stays -->\n\n    echo late >there; sleep 1000\n\n"+
		"<!-- until: grep late there -->\n\n```console\n$ echo $word; pwd\nkept\n/var/lib\n$ echo Error: no; false\nError: no\n```\n"+
		"<!-- file: /etc/muster/a b.hcl -->\n\n```hcl\na = 1\n```\n\n    grep 'a = 1' '/etc/muster/a b.hcl'\n    muster version\n\n<!-- run: stop -->\n\n    if grep -x sleep /proc/[0-9]*/comm; then false; fi\n"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat("/etc/muster/a b.hcl"); err == nil {
		t.Error("what a page does is seen outside its machine")
	}
}

// TestAPageThatIsWrong: the failure names the line and shows what was written.
func TestAPageThatIsWrong(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		return
	}
	for name, c := range map[string]struct{ page, line, shows string }{
		"a command fails":            {"\n    true\n    echo why; false\n    echo on\n", "line 2: this failed", "wrote:\nwhy\n"},
		"the first of a pipe fails":  {"    false | cat\n", "line 1: this failed", ""},
		"another output":             {"    true\n\n- x\n\nx\n\n```console\n$ echo a\nb\n```\n", "line 8: the page shows another output", "wrote:\na\n"},
		"what should fail does not":  {"    $ echo Error: no\n    Error: no\n", "line 1: this must fail and did not", ""},
		"a hidden command fails":     {"<!-- run: false -->\n", "line 1: this failed", ""},
		"beside one that runs on":    {"<!-- stays -->\n\n    echo hello\n\n<!-- until: [ -s $wrote ] -->\n\n    false\n", "line 7: this failed", "stays: echo hello\nhello\n"},
		"what should stay fails":     {"<!-- stays -->\n\n    echo hello; false\n\n<!-- until: false -->\n", "line 3: this was to run on", "wrote:\nhello\n"},
		"a shell that ends too soon": {"    exit 0\n\nx\n\n    true\n", "line 1: this ended the shell", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := follow(t, c.page)
			var failure *docs.StepError
			if !errors.As(err, &failure) || !strings.Contains(err.Error(), c.line) || !strings.Contains(err.Error(), c.shows) {
				t.Errorf("the error is %v, want %q and %q", err, c.line, c.shows)
			}
		})
	}
}

// TestAPageThatWaitsInVain is given up with its context, and the failure says for what it waited.
func TestAPageThatWaitsInVain(t *testing.T) {
	if testing.Short() {
		return
	}
	m := machine
	m.Dir = t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err := m.Follow(ctx, []docs.Step{{Kind: docs.Do, Text: "sleep 1000 &\n"}, {Kind: docs.Until, Line: 7, Text: "echo not yet; false"}})
	var failure *docs.StepError
	if !errors.As(err, &failure) || failure.Step.Line != 7 || !strings.HasPrefix(failure.Wrote, "not yet\n") {
		t.Errorf("the error is %v", err)
	}
}

// TestBrokenLinks: a page's links are followed to files and headings.
func TestBrokenLinks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.md")
	text := "# Here\n[a](#here) [b](#nowhere) [c](page.md#here)\n[d](other.md) <img src=\"gone.svg\"> [e](https://example.com) `[f](x)`\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	wrong, err := docs.Broken(file)
	if err != nil || len(wrong) != 3 {
		t.Errorf("broken are %q, %v; want those to #nowhere, other.md and gone.svg", wrong, err)
	}
}
