package docs

import (
	"regexp"
	"strings"
)

// A variable part of an output, and what stands for any of its kind. The first that fits counts; of those without a pattern of
// their own each is itself.
var variables = []struct{ shape, stands string }{
	{`\d+\.\d+\.\d+\.\d+(?::\d+)?(?:/\d+)?`, ""}, // an address
	{`:\d+`, ""}, // a port
	{`[0-9A-HJKMNP-TV-Z]{26}`, `[0-9A-Z]{26}`},                                                             // an id
	{`\d{4}-\d\d-\d\d[T ][\d:.]+(?:Z|[+-]\d\d:?\d\d)?`, `\d{4}-\d\d-\d\d[T ][\d:.]+(?:Z|[+-]\d\d:?\d\d)?`}, // a time
	{`[0-9a-f]{16,}`, `[0-9a-f]{16,}`},                                                                     // a digest
	{`(?:\d+(?:\.\d+)?(?:h|ms|m|s|µs|ns))+\b`, `(?:\d+(?:\.\d+)?(?:h|ms|m|s|µs|ns))+`},                     // a span of time
	{`\d+(?:\.\d+)+`, `\d+(?:\.\d+)*`},                                                                     // a size or a version
	{`\d{3,}`, `\d+`},                                                                                      // a count
}

var (
	variable = func() *regexp.Regexp {
		var shapes strings.Builder
		for _, v := range variables {
			shapes.WriteString("(" + v.shape + ")|")
		}
		return regexp.MustCompile(shapes.String() + `…|\s+`)
	}()
	blanks = regexp.MustCompile(`[ \t]+`)
)

// Same says whether a command wrote what is shown of it.
func Same(shown, written string) bool {
	var all strings.Builder
	all.WriteString(`^`)
	for line := range strings.Lines(shown) {
		line = strings.TrimSpace(line)
		if line == "…" {
			all.WriteString(`(?:.*\n)*?`)
			continue
		}
		all.WriteString(pattern(line) + ` ?\n`)
	}
	all.WriteString(`$`)
	var got strings.Builder
	for line := range strings.Lines(written) {
		got.WriteString(strings.TrimSpace(blanks.ReplaceAllString(line, " ")) + "\n")
	}
	return regexp.MustCompile(all.String()).MatchString(got.String())
}

// pattern is the expression of what a shown line stands for.
func pattern(line string) string {
	var out strings.Builder
	last := 0
	for _, m := range variable.FindAllStringSubmatchIndex(line, -1) {
		out.WriteString(regexp.QuoteMeta(line[last:m[0]]))
		last = m[1]
		switch found := line[m[0]:m[1]]; {
		case found == "…":
			out.WriteString(`.*`)
		case strings.TrimSpace(found) == "":
			out.WriteString(` `)
		default:
			out.WriteString(stands(m, found))
		}
	}
	out.WriteString(regexp.QuoteMeta(line[last:]))
	return out.String()
}

// stands is the pattern of the kind that a match is of.
func stands(match []int, found string) string {
	for i, v := range variables {
		if match[2+2*i] >= 0 && v.stands != "" {
			return v.stands
		}
	}
	return regexp.QuoteMeta(found)
}
