package docs

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Kind is what is to be done with a step.
type Kind string

// The kinds of steps.
const (
	Do     Kind = "do"      // commands that must succeed
	Shown  Kind = "shown"   // one command whose output is shown
	Stays  Kind = "stays"   // one command that runs on
	Until  Kind = "until"   // a condition to wait for
	Hidden Kind = "run"     // commands that readers do not see
	File   Kind = "file"    // a file to write
	NotRun Kind = "not run" // a block that is left out
)

// Step is one thing a page has readers do.
type Step struct {
	Kind Kind
	Line int    // of the page
	Text string // the commands; what the file holds
	Note string // the file's path; why a block is not run
	Want string // what a Shown command writes
}

// Fails says whether a command is shown to fail.
func (s Step) Fails() bool {
	return strings.HasPrefix(s.Want, "Error:") || strings.Contains(s.Want, "\nError:")
}

// reader takes a page apart.
type reader struct {
	lines []string
	at    int // the line to read next
	words map[string]string
	idle  map[string]int // words that stand nowhere yet, and the lines that say what for
	next  *Step          // what was said of the next block
	list  bool           // within an item of a list, where indented lines are text
	steps []Step
}

var (
	item      = regexp.MustCompile(`^ {0,3}([-*]|\d+\.)\s`)
	fence     = regexp.MustCompile("^( *)```(\\w*)")
	directive = regexp.MustCompile(`(?s)^<!-- (not run|file|stays|until|run|for .+?)(?:: (.*))?\s-->$`)
)

// Read takes a page apart into its steps. What is wrong with its comments is an error that names the line.
func Read(page string) ([]Step, error) {
	r := &reader{lines: strings.Split(page, "\n"), words: map[string]string{}, idle: map[string]int{}}
	for r.at < len(r.lines) {
		line := r.lines[r.at]
		if item.MatchString(line) {
			r.list = true
		} else if line != "" && line[0] != ' ' {
			r.list = false
		}
		var err error
		switch {
		case strings.HasPrefix(line, "<!--"):
			err = r.comment()
		case fence.MatchString(line):
			err = r.fenced()
		case strings.HasPrefix(line, "    ") && !r.list:
			err = r.indented()
		default:
			r.at++
		}
		if err != nil {
			return nil, err
		}
	}
	for word, line := range r.idle {
		return nil, r.fail(line, fmt.Sprintf("nothing that follows has %q", word))
	}
	if r.next != nil {
		return nil, r.fail(r.next.Line, "no block follows")
	}
	for i, s := range r.steps {
		if s.Kind == Stays && (i+1 == len(r.steps) || r.steps[i+1].Kind != Stays && r.steps[i+1].Kind != Until) {
			return nil, r.fail(s.Line, "what stays is to be followed by until, so that it is seen to work")
		}
	}
	return r.steps, nil
}

func (r *reader) fail(line int, text string) error { return fmt.Errorf("line %d: %s", line, text) }

// comment reads a comment and keeps what it says of what follows.
func (r *reader) comment() error {
	begin := r.at + 1
	var said []string
	for ; ; r.at++ {
		if r.at == len(r.lines) {
			return r.fail(begin, "the comment has no end")
		}
		said = append(said, r.lines[r.at])
		if strings.HasSuffix(r.lines[r.at], "-->") {
			break
		}
	}
	r.at++
	m := directive.FindStringSubmatch(strings.Join(said, "\n"))
	if m == nil {
		return r.fail(begin, "the comment is none of those that scripts/docs knows")
	}
	word, isWord := strings.CutPrefix(m[1], "for ")
	kind, text := Kind(m[1]), m[2]
	switch {
	case isWord:
		r.words[word], r.idle[word] = r.filled(text), begin
	case kind != Stays && text == "":
		return r.fail(begin, fmt.Sprintf("%q says nothing after its colon", kind))
	case kind == Until, kind == Hidden:
		r.steps = append(r.steps, Step{Kind: kind, Line: begin, Text: r.filled(text)})
	case r.next != nil:
		return r.fail(begin, fmt.Sprintf("the next block is %q already", r.next.Kind))
	default:
		r.next = &Step{Kind: kind, Line: begin, Note: text}
	}
	return nil
}

// fenced reads a block between fences; which language it is in says whether it is commands.
func (r *reader) fenced() error {
	m := fence.FindStringSubmatch(r.lines[r.at])
	begin := r.at + 1
	var block []string
	for r.at++; ; r.at++ {
		if r.at == len(r.lines) {
			return r.fail(begin, "the block has no end")
		}
		line := strings.TrimPrefix(r.lines[r.at], m[1])
		if strings.HasPrefix(line, "```") {
			r.at++
			break
		}
		block = append(block, line)
	}
	return r.block(begin+1, m[2] == "sh" || m[2] == "console", block)
}

// indented reads a block that is indented.
func (r *reader) indented() error {
	begin := r.at + 1
	var block []string
	for ; r.at < len(r.lines) && (r.lines[r.at] == "" || strings.HasPrefix(r.lines[r.at], "    ")); r.at++ {
		block = append(block, strings.TrimPrefix(r.lines[r.at], "    "))
	}
	for block[len(block)-1] == "" {
		block = block[:len(block)-1]
	}
	return r.block(begin, true, block)
}

// block makes steps of a block that begins on a line.
func (r *reader) block(line int, commands bool, block []string) error {
	said := r.next
	r.next = nil
	text := strings.Join(block, "\n") + "\n"
	switch {
	case said != nil && (said.Kind == File || said.Kind == NotRun):
		r.steps = append(r.steps, Step{Kind: said.Kind, Line: line, Text: r.filled(text), Note: r.filled(said.Note)})
	case !commands && said != nil:
		return r.fail(line, fmt.Sprintf("the block is no commands and cannot be %q", said.Kind))
	case !commands:
	case said != nil:
		for _, c := range split(block) {
			r.steps = append(r.steps, Step{Kind: Stays, Line: line + c.line, Text: r.filled(c.text)})
		}
	case strings.HasPrefix(text, "$ ") || strings.Contains(text, "\n$ "):
		return r.shown(line, block)
	default:
		r.steps = append(r.steps, Step{Kind: Do, Line: line, Text: r.filled(text)})
	}
	return nil
}

// shown makes steps of a block that shows what commands write.
func (r *reader) shown(line int, block []string) error {
	if !strings.HasPrefix(block[0], "$ ") {
		return r.fail(line, `the block shows an output before its first "$ "`)
	}
	goesOn := false
	for i, l := range block {
		command, is := strings.CutPrefix(l, "$ ")
		switch {
		case is:
			r.steps = append(r.steps, Step{Kind: Shown, Line: line + i, Text: r.filled(command) + "\n"})
		case goesOn:
			r.steps[len(r.steps)-1].Text += r.filled(l) + "\n"
		default:
			r.steps[len(r.steps)-1].Want += r.filled(l) + "\n"
		}
		goesOn = (is || goesOn) && strings.HasSuffix(l, `\`)
	}
	return nil
}

// filled puts texts in the place of the words that stand for them.
func (r *reader) filled(text string) string {
	var pairs []string
	byLength := func(a, b string) int { return cmp.Or(len(b)-len(a), cmp.Compare(a, b)) }
	for _, word := range slices.SortedFunc(maps.Keys(r.words), byLength) {
		pairs = append(pairs, word, r.words[word])
		if strings.Contains(text, word) {
			delete(r.idle, word)
		}
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// command is one of a block's, with its line there.
type command struct {
	line int
	text string
}

// split takes a block apart into commands: lines, and those they go on in after a backslash.
func split(block []string) (out []command) {
	goesOn := false
	for i, l := range block {
		if goesOn {
			out[len(out)-1].text += l + "\n"
		} else if strings.TrimSpace(l) != "" {
			out = append(out, command{line: i, text: l + "\n"})
		}
		goesOn = strings.HasSuffix(l, `\`)
	}
	return out
}
