package table_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/musterhq/muster/cmd/muster/table"
)

func written(t *testing.T, tab *table.Table, ink table.Ink, indent string) string {
	t.Helper()
	var b strings.Builder
	if err := tab.Write(&b, ink, indent); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTable(t *testing.T) {
	tab := table.Columns(table.Column{Head: "Name", Max: 8}, table.Column{Head: "Count", Right: true}, table.Column{Head: "Why"})
	tab.Row("a", 7, "short")
	tab.Row("a-long-name-indeed", 12345678)
	tab.Row("新宿区", table.Cell{Text: "-", Mood: table.Bad}, "wide", "more than there are columns")
	want := `. Name         Count  Why
. a                7  short
. a-long-…  12345678
. 新宿区           -  wide
`
	if diff := cmp.Diff(want, written(t, tab, table.Ink{}, ". ")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestInk(t *testing.T) {
	tab := table.New("A", "B")
	tab.Row(table.Cell{Text: "x", Mood: table.Good}, table.Cell{Mood: table.Bad})
	want := "\x1b[1mA\x1b[0m  \x1b[1mB\x1b[0m\n\x1b[32mx\x1b[0m\n"
	if got := written(t, tab, table.Ink{Colour: true}, ""); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

var escapes = regexp.MustCompile("\x1b\\[[0-9]+m")

// TestColumnsStayAligned: whatever is in the cells, each column begins at the same place in all rows, and nothing in a cell
// breaks a line or moves a cursor.
func TestColumnsStayAligned(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		tab := table.Columns(table.Column{Head: "A", Max: rapid.IntRange(1, 9).Draw(r, "most")}, table.Column{Head: "B"})
		rows := rapid.SliceOfN(rapid.String(), 1, 8).Draw(r, "cells")
		for _, cell := range rows {
			tab.Row(table.Cell{Text: cell, Mood: table.Warn}, "|")
		}
		var b strings.Builder
		if err := tab.Write(&b, table.Ink{Colour: true}, ""); err != nil {
			r.Fatal(err)
		}
		text := escapes.ReplaceAllString(b.String(), "")
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		if len(lines) != len(rows)+1 || strings.Contains(text, "\x1b") {
			r.Fatalf("%d lines for %d rows: %q", len(lines), len(rows), text)
		}
		at := table.Width(lines[0][:strings.LastIndex(lines[0], "B")])
		for _, line := range lines[1:] {
			if got := table.Width(line[:strings.LastIndex(line, "|")]); got != at {
				r.Fatalf("the second column begins at %d, not %d, in %q", got, at, line)
			}
		}
	})
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		text string
		most int
		want string
	}{
		{"orders", 6, "orders"},
		{"orders", 5, "orde…"},
		{"新宿区", 6, "新宿区"},
		{"新宿区", 5, "新宿…"},
		{"新宿区", 4, "新…"},
		{"e\u0301e\u0301e", 3, "e\u0301e\u0301e"},
		{"", 0, ""},
		{"ab", 1, "…"},
	} {
		if got := table.Cut(c.text, c.most); got != c.want {
			t.Errorf("%q to %d: %q, want %q", c.text, c.most, got, c.want)
		}
	}
}

func TestAge(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 0: "0s", 250 * time.Millisecond: "250ms", 12 * time.Second: "12s", 119 * time.Second: "119s",
		3 * time.Minute: "3m", 119 * time.Minute: "119m", 5 * time.Hour: "5h", 47 * time.Hour: "47h", 12 * 24 * time.Hour: "12d",
	} {
		if got := table.Age(d); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}
