package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/musterhq/muster/fsm"
)

const guardHelp = "`KEY=VALUE,…` of a guard: group, min_commissioned, min_well, max_maintenance; empty for none; may be repeated"

// parseGuards reads guards as -guard takes them; an empty one is none.
func parseGuards(given []string) ([]fsm.Guard, error) {
	out := []fsm.Guard{}
	for _, text := range given {
		if text == "" {
			continue
		}
		keys, err := pairs("guard", strings.Split(text, ","))
		if err != nil {
			return nil, err
		}
		var g fsm.Guard
		for key, value := range keys {
			numbers := map[string]*int{
				"min_commissioned": &g.MinCommissioned, "min_well": &g.MinWell, "max_maintenance": &g.MaxMaintenance,
			}
			if key == "group" {
				g.Group = value
				continue
			}
			n, known := numbers[key]
			if !known {
				return nil, fmt.Errorf("-guard %q: %s is none of group, min_commissioned, min_well, max_maintenance", text, key)
			}
			if *n, err = strconv.Atoi(value); err != nil {
				return nil, fmt.Errorf("-guard %q: %s=%s is no whole number", text, key, value)
			}
		}
		out = append(out, g)
	}
	return out, nil
}

// guards are guards as -guard takes them.
func guards(all []fsm.Guard) string {
	out := make([]string, 0, len(all))
	for _, g := range all {
		var words []string
		if g.Group != "" {
			words = append(words, "group="+g.Group)
		}
		for _, n := range []struct {
			key   string
			value int
		}{
			{"min_commissioned", g.MinCommissioned}, {"min_well", g.MinWell}, {"max_maintenance", g.MaxMaintenance},
		} {
			if n.value > 0 {
				words = append(words, fmt.Sprintf("%s=%d", n.key, n.value))
			}
		}
		out = append(out, strings.Join(words, ","))
	}
	return strings.Join(out, " ")
}
