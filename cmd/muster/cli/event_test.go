package cli_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	httpd "github.com/musterhq/muster/http"
)

// TestLastEvents: the last ones are listed oldest first, however many pages they take, and of whom they were asked for.
func TestLastEvents(t *testing.T) {
	all := events()
	for _, c := range []struct {
		args []string
		want []httpd.Event
	}{
		{[]string{"-last", "1"}, all[len(all)-1:]},
		{[]string{"-last", "12"}, all[len(all)-12:]},
		{[]string{"-last", "500"}, all},
		{[]string{"-last", "2", "-type", "node.*"}, []httpd.Event{all[12], all[15]}},
		{[]string{"-last", "2", "-type", "acl.*"}, nil},
	} {
		r := run{}.do(t, fleet(t), append([]string{"event", "list", "-format=json"}, c.args...)...)
		var got []httpd.Event
		if err := json.Unmarshal([]byte(r.out), &got); err != nil || r.code != 0 {
			t.Fatalf("%v: exit %d, %q, %v", c.args, r.code, r.err, err)
		}
		if len(got) != len(c.want) {
			t.Errorf("%v lists %d events, want %d", c.args, len(got), len(c.want))
			continue
		}
		for i := range got {
			if got[i].Seq != c.want[i].Seq {
				t.Errorf("%v: event %d is number %d, want %d", c.args, i, got[i].Seq, c.want[i].Seq)
			}
		}
	}
	a, limits := fleet(t), ""
	run{}.do(t, a, "event", "list", "-last", "12")
	for _, asked := range a.requests() {
		limits += regexp.MustCompile(`limit=\d+`).FindString(asked.line) + " "
	}
	if limits != "limit=12 limit=24 limit=48 " {
		t.Errorf("pages that give less than there is were asked for with %s", limits)
	}
	for _, kind := range []string{"node.*", "node.up", "*"} {
		if r := (run{}).do(t, fleet(t), "event", "list", "-type", kind); r.err != "" || r.code != 0 {
			t.Errorf("of type %s it says %q", kind, r.err)
		}
	}
	for kind, want := range map[string]string{"node.upp": `of type node.upp (did you mean "node.up"?)`, "nodes.*": "of type nodes.*"} {
		for _, args := range [][]string{{"event", "list"}, {"event", "list", "-last", "3"}, {"event", "follow"}} {
			a := fleet(t).fail("GET", "/v1/events/follow", 400, map[string]string{"code": "invalid", "message": "enough"})
			if r := (run{}).do(t, a, append(args, "-type", kind)...); !strings.Contains(r.err, want) {
				t.Errorf("%v: of type %s it says %q", args, kind, r.err)
			}
		}
	}
	for want, args := range map[string][]string{
		"say 1 or more":      {"-last", "0"},
		"exclude each other": {"-last", "3", "-after", "e1:4"},
		"invalid argument":   {"-last", "many"},
		"No events.\n":       {"-last", "3", "-type", "acl.*"},
	} {
		r := run{}.do(t, fleet(t), append([]string{"event", "list"}, args...)...)
		if !strings.Contains(r.out+r.err, want) || (r.code == 0) != (r.out != "") {
			t.Errorf("%v: exit %d, %q, %q; want %q", args, r.code, r.out, r.err, want)
		}
	}
}
