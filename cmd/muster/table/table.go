package table

import (
	"fmt"
	"io"
	"strings"
)

const (
	gap     = 2  // places between columns
	maxCell = 60 // places of a cell in a column that sets no other limit
)

// Column is the head of a column. Max bounds its cells in places; 0 is 60, below 0 is no bound.
type Column struct {
	Head  string
	Right bool // numbers are easier to compare when they end alike
	Max   int
}

// Cell is a text with a mood.
type Cell struct {
	Text string
	Mood Mood
}

// Table collects rows. It is for one goroutine.
type Table struct {
	columns []Column
	rows    [][]Cell
	widths  []int
}

// New makes a table with plain columns; Columns makes one with others.
func New(heads ...string) *Table {
	columns := make([]Column, len(heads))
	for i, head := range heads {
		columns[i].Head = head
	}
	return Columns(columns...)
}

// Columns makes a table.
func Columns(columns ...Column) *Table {
	t := &Table{columns: columns, widths: make([]int, len(columns))}
	for i, c := range columns {
		t.widths[i] = Width(c.Head)
	}
	return t
}

// Row adds a row of strings, Cells, and whatever else fmt can print; what is missing at its end is empty.
func (t *Table) Row(cells ...any) {
	row := make([]Cell, len(t.columns))
	for i, c := range cells {
		if i == len(row) {
			break
		}
		cell, ok := c.(Cell)
		if !ok {
			cell.Text = fmt.Sprint(c)
		}
		cell.Text = Cut(Clean(cell.Text), t.columns[i].limit())
		row[i] = cell
		t.widths[i] = max(t.widths[i], Width(cell.Text))
	}
	t.rows = append(t.rows, row)
}

func (c Column) limit() int {
	switch {
	case c.Max == 0:
		return maxCell
	case c.Max < 0:
		return 1 << 20
	}
	return c.Max
}

// Write writes the table, each line after indent.
func (t *Table) Write(w io.Writer, ink Ink, indent string) error {
	head := make([]Cell, len(t.columns))
	for i, c := range t.columns {
		head[i] = Cell{Text: c.Head, Mood: Head}
	}
	var b strings.Builder
	for _, row := range append([][]Cell{head}, t.rows...) {
		t.line(&b, row, ink, indent)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// line writes one row; nothing follows its last cell that is not empty.
func (t *Table) line(b *strings.Builder, row []Cell, ink Ink, indent string) {
	last := len(row) - 1
	for last > 0 && row[last].Text == "" {
		last--
	}
	b.WriteString(indent)
	for i, cell := range row[:last+1] {
		pad := strings.Repeat(" ", t.widths[i]-Width(cell.Text))
		if i > 0 {
			b.WriteString(strings.Repeat(" ", gap))
		}
		switch {
		case t.columns[i].Right:
			b.WriteString(pad + ink.Paint(cell.Mood, cell.Text))
		case i == last:
			b.WriteString(ink.Paint(cell.Mood, cell.Text))
		default:
			b.WriteString(ink.Paint(cell.Mood, cell.Text) + pad)
		}
	}
	b.WriteByte('\n')
}
