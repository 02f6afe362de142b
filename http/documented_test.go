package httpd_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	tableWord = regexp.MustCompile("`[^`]*`|[A-Z]+")
	pathPart  = regexp.MustCompile(`\{[^}]*\}`)
)

// TestPageNamesEveryRoute: the table of docs/api.md has what the description has, and nothing else. In its first column the methods
// before paths are theirs, each path in full.
func TestPageNamesEveryRoute(t *testing.T) {
	page, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(page), "| method and path | does |\n| --- | --- |\n")
	if !found {
		t.Fatal("docs/api.md has no table of methods and paths")
	}
	shown := map[string]bool{}
	for row := range strings.Lines(table) {
		if !strings.HasPrefix(row, "| ") {
			break
		}
		for route := range rowRoutes(strings.Split(row, " | ")[0]) {
			if shown[route] {
				t.Errorf("docs/api.md has %s twice", route)
			}
			shown[route] = true
		}
	}
	want := map[string]bool{}
	for path, item := range described(t).Paths.Map() {
		for method := range item.Operations() {
			want[method+" "+pathPart.ReplaceAllString(path, "{}")] = true
		}
	}
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Errorf("docs/api.md is not what is described (-described +on the page):\n%s", diff)
	}
}

// rowRoutes are the routes that the first column of a row names.
func rowRoutes(column string) map[string]bool {
	out := map[string]bool{}
	var methods []string
	wasPath := false
	for _, word := range tableWord.FindAllString(column, -1) {
		isPath := strings.HasPrefix(word, "`")
		switch {
		case isPath:
			path, _, _ := strings.Cut(strings.Trim(word, "`"), "?")
			for _, m := range methods {
				out[m+" "+pathPart.ReplaceAllString(path, "{}")] = true
			}
		case wasPath:
			methods = []string{word}
		default:
			methods = append(methods, word)
		}
		wasPath = isPath
	}
	return out
}
