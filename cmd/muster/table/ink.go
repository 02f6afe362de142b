package table

// Mood says how a text is meant; an Ink knows how that looks.
type Mood int

// The moods.
const (
	Plain Mood = iota
	Good
	Warn
	Bad
	Dim
	Head
)

var colours = map[Mood]string{
	Good: "\x1b[32m", Warn: "\x1b[33m", Bad: "\x1b[31m", Dim: "\x1b[2m", Head: "\x1b[1m",
}

// Ink paints texts: in colour, or not at all.
type Ink struct{ Colour bool }

// Paint is a text in its mood. Its width is that of the text.
func (i Ink) Paint(m Mood, text string) string {
	code := colours[m]
	if !i.Colour || code == "" || text == "" {
		return text
	}
	return code + text + "\x1b[0m"
}
