package document_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cmd/muster/document"
	"github.com/musterhq/muster/fsm"
)

const hcl = `# where orders are
discovery "orders" {
  backend      = "consul"
  config       = { services = ["orders-*", "bills"], "tags" = ["muster"] }
  interval     = "30s"
  enabled      = !false
  missing_after = "5m"
  max_shrink   = "20%"
  cluster      = "{{.service}}"

  refresh {
    prober     = "http"
    down_after = 1 + 2
    config {
      path = "/health"
    }
  }
}
`

const asJSON = `{
  "name": "orders",
  "backend": "consul",
  "config": {"services": ["orders-*", "bills"], "tags": ["muster"]},
  "interval": "30s",
  "enabled": true,
  "missing_after": "5m",
  "max_shrink": "20%",
  "cluster": "{{.service}}",
  "refresh": {"prober": "http", "down_after": 3, "config": {"path": "/health"}}
}
`

func read(t *testing.T, name, text string) []document.Discovery {
	t.Helper()
	found, err := document.Discoveries(name, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestHCLAndJSONMeanTheSame(t *testing.T) {
	want := fsm.DefaultSpec()
	want.Backend, want.Config = "consul", `{"services":["orders-*","bills"],"tags":["muster"]}`
	want.Interval, want.MissingAfter, want.MaxShrink = 30*fsm.Second, 5*fsm.Minute, 20
	want.Refresh.Prober, want.Refresh.DownAfter, want.Refresh.Config = "http", 3, `{"path":"/health"}`
	for name, text := range map[string]string{
		"orders.hcl": hcl, "orders.json": asJSON, "orders": hcl, "stdin": asJSON, "list.json": "[" + asJSON + "]",
	} {
		found := read(t, name, text)
		if len(found) != 1 || found[0].Name != "orders" {
			t.Fatalf("%s: %+v", name, found)
		}
		if diff := cmp.Diff(want, found[0].Spec); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestBodyIsWhatIsWrittenAndNoMore(t *testing.T) {
	for name, text := range map[string]string{
		"x.hcl":  "discovery \"x\" {\n backend = \"file\"\n on = null\n}",
		"x.json": `{"name": "x", "backend": "file", "on": null}`,
	} {
		var body map[string]any
		if err := json.Unmarshal(read(t, name, text)[0].Body, &body); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]any{"name": "x", "backend": "file", "on": nil}, body); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestFaultsNameFileAndLine(t *testing.T) {
	head := "discovery \"x\" {\n  backend = \"file\"\n"
	for _, c := range []struct {
		name, file, text string
		want             []string
	}{
		{"unknown key", "x.hcl", head + "  intervall = \"1s\"\n}", []string{`x.hcl:3: intervall is not known (did you mean "interval"?)`}},
		{"unknown nested key", "x.hcl", head + "  refresh {\n    timeuot = \"1s\"\n  }\n}", []string{`x.hcl:4: refresh.timeuot is not known (did you mean "timeout"?)`}},
		{"unknown nested key, as a map", "x.hcl", head + "  refresh = {\n    timeuot = \"1s\"\n  }\n}", []string{`x.hcl:4: refresh.timeuot is not known`}},
		{"unknown key in JSON", "x.json", "{\"name\": \"x\",\n\n\"bakcend\": \"file\"}", []string{`x.json:3: bakcend is not known (did you mean "backend"?)`}},
		{"all at once", "x.hcl", head + "  foo = 1\n  bar = 2\n}\ndiscovery \"y\" {\n baz = 3\n}", []string{"x.hcl:3: foo", "x.hcl:4: bar", "x.hcl:7: baz"}},
		{"number for a duration", "x.hcl", head + "  interval = 60\n}", []string{`x.hcl:3: interval is 60; wanted is a string like "30s"`}},
		{"no duration", "x.json", "{\"name\": \"x\", \"backend\": \"file\",\n\"interval\": \"60\"}", []string{`x.json:2: interval: "60" is not a duration`}},
		{"no percentage", "x.hcl", head + "  max_shrink = 30\n}", []string{`x.hcl:3: max_shrink is 30; wanted is a string like "30%"`}},
		{"text for a number", "x.hcl", head + "  refresh {\n    down_after = \"two\"\n  }\n}", []string{`x.hcl:4: refresh.down_after is "two"; wanted is a whole number`}},
		{"broken number", "x.hcl", head + "  refresh {\n    down_after = 2.5\n  }\n}", []string{`x.hcl:4: refresh.down_after is 2.5; wanted is a whole number`}},
		{"text for a flag", "x.hcl", head + "  enabled = \"yes\"\n}", []string{`x.hcl:3: enabled is "yes"; wanted is true or false`}},
		{"text for an object", "x.hcl", head + "  config = \"/etc\"\n}", []string{`x.hcl:3: config is "/etc"; wanted is an object`}},
		{"text for labels", "x.hcl", head + "  labels = \"r7\"\n}", []string{`x.hcl:3: labels is "r7"; wanted is an object`}},
		{"number for a label", "x.hcl", head + "  labels = {\n    rack = 7\n  }\n}", []string{`x.hcl:4: labels.rack is 7; wanted is a string`}},
		{"unknown guard", "x.hcl", head + "  guards = [{\n    min_wel = 7\n  }]\n}", []string{`x.hcl:4: guards[0].min_wel is not known (did you mean "min_well"?)`}},
		{"list for an object", "x.json", "{\"name\": \"x\", \"backend\": \"file\",\n\"refresh\": []}", []string{`x.json:2: refresh is a list; wanted is an object`}},
		{"twice in HCL", "x.hcl", head + "  config = {}\n  config {\n  }\n}", []string{"x.hcl:4: config is given twice, first in line 3"}},
		{"twice in a map", "x.hcl", head + "  config = {\n    a = 1\n    a = 2\n  }\n}", []string{"x.hcl:5: a is given twice, first in line 4"}},
		{"twice in JSON", "x.json", "{\"name\": \"x\",\n\"name\": \"y\"}", []string{"x.json:2: name is given twice, first in line 1"}},
		{"name twice", "x.hcl", head + "}\n" + head + "}", []string{`x.hcl:4: discovery "x" is here twice, first in line 1`}},
		{"name twice in JSON", "x.json", "[{\"name\": \"x\"},\n{\"name\": \"x\"}]", []string{`x.json:2: discovery "x" is here twice, first in line 1`}},
		{"name as a key", "x.hcl", head + "  name = \"y\"\n}", []string{`x.hcl:3: name is what stands beside discovery: "x"`}},
		{"no name", "x.json", "\n{\"backend\": \"file\"}", []string{`x.json:2: has no "name"`}},
		{"bad name", "x.hcl", "\ndiscovery \"a/b\" {\n}", []string{`x.hcl:2: name: "a/b" holds a "/"`}},
		{"two names", "x.hcl", "discovery \"a\" \"b\" {\n}", []string{"x.hcl:1: discovery takes one name"}},
		{"other block", "x.hcl", "\ndicsovery \"a\" {\n}", []string{`x.hcl:2: dicsovery is no block of this (did you mean "discovery"?)`}},
		{"outside", "x.hcl", "\nbackend = \"file\"\n", []string{"x.hcl:2: backend stands outside a block"}},
		{"named inner block", "x.hcl", head + "  refresh \"fast\" {\n  }\n}", []string{"x.hcl:3: refresh takes no name"}},
		{"variable", "x.hcl", head + "  on = var.zone\n}", []string{"x.hcl:3: variables not allowed"}},
		{"template", "x.hcl", head + "  on = \"${zone}\"\n}", []string{"x.hcl:3: variables not allowed"}},
		{"function", "x.hcl", head + "  on = upper(\"x\")\n}", []string{"x.hcl:3: function calls not allowed"}},
		{"HCL that ends early", "x.hcl", head, []string{"x.hcl:1: "}},
		{"JSON that ends early", "x.json", "{\"name\": \"x\",\n", []string{"x.json:1: the text ends within its JSON value"}},
		{"JSON that goes on", "x.json", "{\"name\": \"x\"}\n{}", []string{"x.json:2: the text goes on after its JSON value"}},
		{"no JSON", "x.json", "{\n\"name\" = \"x\"}", []string{"x.json:2: is not JSON"}},
		{"no UTF-8", "x.json", "{\"name\": \"\xff\"}", []string{"x.json:1: the text is not UTF-8"}},
		{"neither", "x.json", "[7]", []string{`x.json:1: is 7; wanted is a discovery`}},
		{"nothing", "x.hcl", "# nothing yet\n", []string{"x.hcl:1: holds no discovery"}},
		{"nothing in JSON", "x.json", "[]", []string{"x.json:1: holds no discovery"}},
		{"deep", "x.json", "{\"name\": \"x\", \"config\":" + strings.Repeat("[", 50) + strings.Repeat("]", 50) + "}", []string{"nests more than 32 deep"}},
		{"deep HCL", "x.hcl", "discovery \"x\" {\nconfig = " + strings.Repeat("[", 50) + strings.Repeat("]", 50) + "\n}", []string{"x.hcl:2: nests more than 32 deep"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := document.Discoveries(c.file, strings.NewReader(c.text))
			if err == nil {
				t.Fatalf("no error; want %q", c.want)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
			if lines := strings.Count(err.Error(), "\n") + 1; lines != len(c.want) {
				t.Errorf("%d lines of error, want %d:\n%s", lines, len(c.want), err)
			}
		})
	}
}

func TestBigFilesAreRefused(t *testing.T) {
	if _, err := document.Discoveries("x.json", strings.NewReader(strings.Repeat(" ", 5<<20))); err == nil || !strings.Contains(err.Error(), "larger than 4 MiB") {
		t.Errorf("error %v", err)
	}
}

func TestFieldsOfTheAPIHavePlaces(t *testing.T) {
	for name, c := range map[string]struct {
		text  string
		lines map[string]int
	}{
		"x.hcl":  {hcl, map[string]int{"backend": 3, "config.services.1": 4, "config.services[0]": 4, "refresh.down_after": 13, "refresh.config.path": 15, "refresh.config.none": 14, "refresh.none": 11, "none": 2}},
		"x.json": {asJSON, map[string]int{"backend": 3, "config.tags": 4, "refresh.config": 10, "none": 1}},
	} {
		d := read(t, name, c.text)[0]
		for field, line := range c.lines {
			err := d.Place(fsm.Invalid(field, "is odd"))
			var fault *document.FaultError
			if !errors.As(err, &fault) || fault.Line != line || fault.File != name || !errors.Is(err, fsm.ErrInvalid) {
				t.Errorf("%s, %s: %v, want line %d", name, field, err, line)
			}
		}
	}
	d := read(t, "x.hcl", hcl)[0]
	if got, want := d.Place(fsm.Errorf(fsm.CodeUnavailable, "no leader")), `x.hcl:2: discovery "orders": no leader`; got.Error() != want || !errors.Is(got, fsm.ErrUnavailable) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAnswersOfTheAPICanBeRead(t *testing.T) {
	text := `{"name": "x", "backend": "file", "last_run": {"took": "1s"}, "next_run": "", "failing": "", "deleting": false, "held": {}, "index": 7}`
	d := read(t, "x.json", text)[0]
	if got, want := string(d.Request()), `{"name":"x","backend":"file"}`; got != want {
		t.Errorf("request %s, want %s", got, want)
	}
}

// FuzzDiscoveries: no text makes reading fail in any way but with an error, and what is read is JSON.
func FuzzDiscoveries(f *testing.F) {
	for _, text := range []string{hcl, asJSON, "", "[", "{", "discovery \"x\" {", "discovery \"x\" {\n a = [1, {b = 1e999}]\n}"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, name := range []string{"x.hcl", "x.json"} {
			found, _ := document.Discoveries(name, strings.NewReader(text))
			for _, d := range found {
				if !json.Valid(d.Body) || !json.Valid(d.Request()) {
					t.Errorf("%s is no JSON", d.Body)
				}
			}
		}
	})
}
