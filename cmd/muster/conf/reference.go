package conf

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// Reference describes all settings in Markdown: those outside of blocks first, then each block.
func (s *Schema) Reference() string {
	all := s.settings()
	var b strings.Builder
	s.table(&b, "", all)
	for _, block := range slices.Sorted(maps.Keys(blocks(all))) {
		fmt.Fprintf(&b, "\n### `%s { … }`\n\n", block)
		s.table(&b, block, all)
	}
	return b.String()
}

func (s *Schema) table(b *strings.Builder, block string, all map[string]setting) {
	b.WriteString("| setting | option | type | default | reload | |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, path := range slices.Sorted(maps.Keys(all)) {
		at, last, inside := strings.Cut(path, ".")
		if !inside {
			at, last = "", path
		}
		if at != block {
			continue
		}
		f := all[path]
		takes, usage := pflag.UnquoteUsage(f.Flag)
		option := "-" + f.Name
		if takes != "" {
			option += " " + takes
		}
		reload := ""
		if s.reloads[f.Name] {
			reload = "yes"
		}
		usage = strings.TrimSuffix(strings.ReplaceAll(usage, "|", "\\|"), "; may be repeated")
		fmt.Fprintf(b, "| `%s` | `%s` | %s | %s | %s | %s |\n", last, option, f.kind(), f.standard(), reload, usage)
	}
}

// kind is the type of a setting as files have it.
func (s setting) kind() string {
	one := "text"
	switch s.Value.Type() {
	case "bool":
		one = "true or false"
	case "int", "int64", "uint", "uint64":
		one = "number"
	case "float64":
		one = "number, also broken"
	case "duration":
		one = "span of time"
	}
	switch {
	case s.pairs:
		return "object of texts"
	case s.list != nil:
		return "list of texts"
	}
	return one
}

// standard is a setting's value when nobody says one.
func (s setting) standard() string {
	switch s.DefValue {
	case "", "[]", "0", "false", "0s":
		return ""
	}
	if s.kind() == "text" || s.kind() == "span of time" {
		return fmt.Sprintf("`%q`", s.DefValue)
	}
	return "`" + s.DefValue + "`"
}
