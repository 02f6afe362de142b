package docs

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

var (
	link    = regexp.MustCompile(`!?\[[^\]]*\]\(([^)\s]+)\)|<img [^>]*src="([^"]+)"`)
	heading = regexp.MustCompile(`^#+ (.*)$`)
	outside = regexp.MustCompile(`^[a-z]+:`)
	inline  = regexp.MustCompile("`[^`]*`")
	gone    = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// prose calls each with the lines of a page that are not in blocks.
func prose(page string, each func(number int, line string)) {
	fenced := false
	for i, line := range strings.Split(page, "\n") {
		if fence.MatchString(line) {
			fenced = !fenced
		} else if !fenced && !strings.HasPrefix(line, "    ") {
			each(i+1, line)
		}
	}
}

// Anchors are the names that a page's headings are linked by, as forges make them.
func Anchors(page string) map[string]bool {
	out := map[string]bool{}
	prose(page, func(_ int, line string) {
		m := heading.FindStringSubmatch(line)
		if m == nil {
			return
		}
		name := strings.ReplaceAll(gone.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")
		for base, n := name, 1; out[name]; n++ {
			name = fmt.Sprintf("%s-%d", base, n)
		}
		out[name] = true
	})
	return out
}

// Broken are the links of a page in a folder that lead to no file, or to no heading of it. Addresses outside are not followed.
func Broken(file string) (wrong []string, err error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	page := string(raw)
	prose(page, func(number int, line string) {
		for _, m := range link.FindAllStringSubmatch(inline.ReplaceAllString(line, "``"), -1) {
			to := m[1] + m[2]
			if why := leads(file, page, to); why != "" {
				wrong = append(wrong, fmt.Sprintf("line %d: %s: %s", number, to, why))
			}
		}
	})
	return wrong, nil
}

// leads says what is wrong with a link; nothing when it is good.
func leads(file, page, to string) string {
	if outside.MatchString(to) {
		return ""
	}
	path, anchor, hasAnchor := strings.Cut(to, "#")
	if path != "" {
		target := filepath.Join(filepath.Dir(file), filepath.FromSlash(path))
		at, err := os.Stat(target)
		if err != nil {
			return "there is no such file"
		}
		if !hasAnchor || at.IsDir() {
			return ""
		}
		raw, err := os.ReadFile(target)
		if err != nil {
			return err.Error()
		}
		page = string(raw)
	}
	if hasAnchor && !Anchors(page)[anchor] {
		return "the page has no such heading"
	}
	return ""
}
