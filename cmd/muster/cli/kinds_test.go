package cli_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/musterhq/muster/cmd/muster/cli"
	"github.com/musterhq/muster/fsm"
)

const option = "refresh.config."

// wrongWith is what is wrong with the config of a kind, by field.
func wrongWith(t *testing.T, kind string, config fsm.JSON) map[string]string {
	t.Helper()
	err := cli.CheckProber(kind, config)
	if err == nil {
		return nil
	}
	invalid, ok := errors.AsType[*fsm.Error](err)
	if !ok || invalid.Code != fsm.CodeInvalid || len(invalid.Fields) != 1 {
		t.Fatalf("config %q: the error is %#v", config, err)
	}
	return invalid.Fields
}

// TestEveryKindJudgesItsConfig asks of all kinds what holds for each.
func TestEveryKindJudgesItsConfig(t *testing.T) {
	const secret = "hunter2"
	for _, kind := range cli.Kinds() {
		t.Run(kind, func(t *testing.T) {
			for _, config := range []fsm.JSON{"", "{}"} {
				for field := range wrongWith(t, kind, config) {
					if !strings.HasPrefix(field, option) || len(field) == len(option) {
						t.Errorf("config %q: the error names no key that is needed, but %q", config, field)
					}
				}
			}
			wrong := wrongWith(t, kind, `{"nonsense":1}`)[option+"nonsense"]
			if !strings.Contains(wrong, "is not known; this prober takes") {
				t.Errorf("of an unknown key it says %q", wrong)
			}
			for _, key := range []string{"password", "token", "tls_key_password"} {
				wrong := wrongWith(t, kind, fsm.JSON(`{"`+key+`":"`+secret+`"}`))[option+key]
				if !strings.Contains(wrong, "would put a secret into the state") || strings.Contains(wrong, secret) {
					t.Errorf("of a %s it says %q", key, wrong)
				}
			}
			if wrong := wrongWith(t, kind, `["`+secret+`"]`)["refresh.config"]; wrong == "" || strings.Contains(wrong, secret) {
				t.Errorf("of a list it says %q", wrong)
			}
		})
	}
}

// TestEveryKindIsDocumented looks for each kind's row in docs/probers.md, for each of its keys, and for rows of kinds that
// there are not.
func TestEveryKindIsDocumented(t *testing.T) {
	text := read(t, "docs", "probers.md")
	table, _, _ := strings.Cut(text, "\n\n**")
	rows := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z]+)`").FindAllStringSubmatch(table, -1) {
		rows[m[1]] = true
	}
	for _, kind := range cli.Kinds() {
		if !rows[kind] {
			t.Errorf("%s has no row", kind)
		}
		delete(rows, kind)
		_, list, takes := strings.Cut(wrongWith(t, kind, `{"nonsense":1}`)[option+"nonsense"], "takes ")
		if !takes {
			t.Errorf("%s does not say what it takes", kind)
		}
		if list == "no options" {
			continue
		}
		for key := range strings.SplitSeq(list, ", ") {
			if !strings.Contains(text, "`"+key+"`") {
				t.Errorf("%s takes %s, of which the page says nothing", kind, key)
			}
		}
	}
	for kind := range rows {
		t.Errorf("%s has a row, and is no kind", kind)
	}
}
