package cli_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/musterhq/muster/cmd/muster/cli"
)

// TestAlertsNameCommandsThatThereAre: what an alert says to run can be run, options included.
func TestAlertsNameCommandsThatThereAre(t *testing.T) {
	seen := 0
	for _, text := range regexp.MustCompile(`(?s)description: '(.*?)'\n`).FindAllStringSubmatch(content(t, "../../../docs/prometheus", "alerts.yaml"), -1) {
		for _, m := range regexp.MustCompile(`\bmuster ([a-z][^,.;)']*)`).FindAllStringSubmatch(text[1], -1) {
			seen++
			words := strings.Fields(m[1])
			c := cli.New(cli.Streams{}, cli.Build{}).Root()
			for len(words) > 0 && c.HasSubCommands() {
				inner, _, err := c.Find(words[:1])
				if err != nil || inner == c {
					t.Fatalf("there is no %s %s: %s", c.CommandPath(), words[0], m[0])
				}
				c, words = inner, words[1:]
			}
			for _, word := range words {
				if name, is := strings.CutPrefix(word, "-"); is && c.Flags().Lookup(name) == nil && c.InheritedFlags().Lookup(name) == nil {
					t.Errorf("%s has no option %s: %s", c.CommandPath(), word, m[0])
				}
			}
		}
	}
	if seen < 12 {
		t.Errorf("only %d commands were seen", seen)
	}
}
