package docs_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/scripts/docs"
)

// page uses every comment. ~ stands for a backquote.
const page = `# A page

<!-- for IP-A: 10.0.0.1 -->
<!-- for IP: wrong -->
<!-- for a word …: many parts with IP-A -->
<!-- run: mkdir d
cd d -->
<!-- file: IP-A.hcl -->

~~~hcl
address = "IP-A"
~~~

    first IP-A \
      --more

    second a word …

- an item

      that goes on

<!-- stays -->

    one &&  \
      two
    three

<!-- until: [ -e x ] -->

~~~console
$ fourth \
    more
  out 1

$ fifth
Error: no
~~~

~~~json
{}
~~~

<!-- not run: it is slow -->

    sixth
`

func TestRead(t *testing.T) {
	got, err := docs.Read(strings.ReplaceAll(page, "~", "`"))
	if err != nil {
		t.Fatal(err)
	}
	want := []docs.Step{
		{Kind: docs.Hidden, Line: 6, Text: "mkdir d\ncd d"},
		{Kind: docs.File, Line: 11, Text: "address = \"10.0.0.1\"\n", Note: "10.0.0.1.hcl"},
		{Kind: docs.Do, Line: 14, Text: "first 10.0.0.1 \\\n  --more\n\nsecond many parts with 10.0.0.1\n"},
		{Kind: docs.Stays, Line: 25, Text: "one &&  \\\n  two\n"},
		{Kind: docs.Stays, Line: 27, Text: "three\n"},
		{Kind: docs.Until, Line: 29, Text: "[ -e x ]"},
		{Kind: docs.Shown, Line: 32, Text: "fourth \\\n    more\n", Want: "  out 1\n\n"},
		{Kind: docs.Shown, Line: 36, Text: "fifth\n", Want: "Error: no\n"},
		{Kind: docs.NotRun, Line: 46, Text: "sixth\n", Note: "it is slow"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReadRefuses(t *testing.T) {
	for _, c := range []struct{ page, wants string }{
		{"x\n<!-- nor run: it is slow -->\n", "line 2: the comment is none of those"},
		{"<!-- run:\n", "line 1: the comment has no end"},
		{"<!-- not run -->\n\n    x\n", `line 1: "not run" says nothing`},
		{"<!-- not run: why -->\n", "line 1: no block follows"},
		{"<!-- file: a -->\n<!-- stays -->\n\n    x\n", `line 2: the next block is "file" already`},
		{"<!-- stays -->\n```json\n{}\n```\n", `line 3: the block is no commands and cannot be "stays"`},
		{"<!-- stays -->\n\n    x\n\nx\n\n    y\n", "line 3: what stays is to be followed by until"},
		{"<!-- for x: y -->\n\n    z\n", `line 1: nothing that follows has "x"`},
		{"```sh\nx\n", "line 1: the block has no end"},
		{"\n    out\n    $ x\n", "line 2: the block shows an output before"},
	} {
		steps, err := docs.Read(c.page)
		if err == nil || !strings.Contains(err.Error(), c.wants) {
			t.Errorf("%q gives %v and the error %v, want %q", c.page, steps, err, c.wants)
		}
	}
}

func TestSame(t *testing.T) {
	for _, c := range []struct {
		shown, written string
		want           bool
	}{
		{"a  b\n", "a b   \n", true},
		{"a b\n", "ab\n", false},
		{"a\n", "a\nb\n", false},
		{"a\n…\n", "a\nb\nc\n", true},
		{"a\n…\nc\n", "a\nb\nb\nc\n", true},
		{"a\n…\nc\n", "a\nb\n", false},
		{"a … c\n", "a b b c\n", true},
		{"a … c\n", "a\nc\n", false},
		{"", "", true},
		{"", "a\n", false},
		{"index 4711\n", "index 9\n", true},
		{"index 4711\n", "index x\n", false},
		{"3 nodes\n", "4 nodes\n", false},
		{"http://10.0.0.1:8650\n", "http://10.0.0.2:8650\n", false},
		{"http://10.0.0.1:8650\n", "http://10.0.0.1:8651\n", false},
		{"localhost:8650\n", "localhost:8651\n", false},
		{"took 1.2s\n", "took 350ms\n", true},
		{"took 1m10s\n", "took ages\n", false},
		{"at 2026-11-22T10:00:00Z\n", "at 2027-01-02T03:04:05.678Z\n", true},
		{"id 01JDABCDEFGHJKMNPQRSTVWXYZ\n", "id 01KDABCDEFGHJKMNPQRSTVWXY0\n", true},
		{"1.5 KiB\n", "20.25 KiB\n", true},
		{"9f86d081884c7d65\n", "2c26b46b68ffc68f\n", true},
		{"a.b (c) $\n", "axb (c) $\n", false},
	} {
		if got := docs.Same(c.shown, c.written); got != c.want {
			t.Errorf("Same(%q, %q) = %t", c.shown, c.written, got)
		}
	}
}

func TestAnchors(t *testing.T) {
	got := docs.Anchors("# The *API*, v1\n## `acl { … }`\n## Twice\n```\n# no\n```\n## Twice\n")
	want := map[string]bool{"the-api-v1": true, "acl---": true, "twice": true, "twice-1": true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
